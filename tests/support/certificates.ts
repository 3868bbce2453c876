/**
 * Certificates for tests, made by @peculiar/x509: an implementation independent of ours.
 *
 * @module
 */

import "reflect-metadata";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Extension,
  type GeneralNameType,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import type { Bytes } from "../../src/encoding.ts";
import { thumbprintS256 } from "../../src/x509/thumbprint.ts";

/** A certificate of a test and what proves it. */
export interface IssuedCertificate {
  /** DER of the certificate. */
  readonly der: Bytes;
  /** The certificate as PEM. */
  readonly pem: string;
  /** `x5t#S256`: base64url SHA-256 of the DER. */
  readonly thumbprint: string;
  /** The subject, RFC 4514. */
  readonly subject: string;
  /** Its key pair; not there where the certificate was issued for an SPKI from elsewhere. */
  readonly keys?: CryptoKeyPair;
}

/** A certificate that can issue others: its key pair is there. */
export type CertificateAuthority = IssuedCertificate & { readonly keys: CryptoKeyPair };

/** What to issue. */
export interface CertificateRequest {
  /** Subject, RFC 4514. @default "CN=3c5a7c2e-1f0b-4f0e-9a53-6f0b9d5f7a11" */
  subject?: string;
  /** Key pair of the subject. @default a new P-256 pair */
  keys?: CryptoKeyPair;
  /** DER SubjectPublicKeyInfo of the subject, instead of `keys`. */
  spki?: Bytes;
  /** Start of validity, ms since the epoch. @default an hour ago */
  notBefore?: number;
  /** End of validity, ms since the epoch; whole seconds count. @default in 7 days */
  notAfter?: number;
  /** Who signs. @default the subject itself */
  issuer?: CertificateAuthority;
  /** Whether it may issue others. @default false */
  authority?: boolean;
  /** DNS names and IP addresses of a TLS server; without them it is a client certificate. */
  hosts?: readonly string[];
  /** What it says it is for. @default "server" with `hosts`, else "client" */
  use?: "client" | "server";
  /** The domain whose names an authority may issue for (RFC 5280 section 4.2.1.10). @default any */
  domain?: string;
}

const HOUR = 3_600_000;
const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const CLIENT = "CN=3c5a7c2e-1f0b-4f0e-9a53-6f0b9d5f7a11";

/** A new P-256 key pair whose private half can be exported. */
export async function newKeys(): Promise<CryptoKeyPair> {
  return await crypto.subtle.generateKey(P256, true, ["sign", "verify"]);
}

/** The private half as PKCS#8 PEM. */
export async function privateKeyPem({ privateKey }: CryptoKeyPair): Promise<string> {
  return PemConverter.encode(await crypto.subtle.exportKey("pkcs8", privateKey), "PRIVATE KEY");
}

/** A self-signed certificate authority with a P-256 key, valid from 2000 to 2100. */
export async function certificateAuthority(
  subject: string = "CN=Test CA",
): Promise<CertificateAuthority> {
  const keys = await newKeys();
  const [notBefore, notAfter] = [Date.UTC(2000, 0), Date.UTC(2100, 0)];
  return {
    ...await issueCertificate({ subject, keys, authority: true, notBefore, notAfter }),
    keys,
  };
}

/** A certificate as asked for; its serial number is random. */
export async function issueCertificate(
  request: CertificateRequest = {},
): Promise<IssuedCertificate> {
  const { subject = CLIENT, issuer, spki, authority = false, hosts } = request;
  const { notBefore = Date.now() - HOUR, notAfter = Date.now() + 7 * 24 * HOUR } = request;
  const keys = spki === undefined ? request.keys ?? await newKeys() : undefined;
  const signer = issuer?.keys ?? keys;
  if (signer === undefined) throw new TypeError("A certificate for an SPKI needs an issuer.");
  const publicKey = keys?.publicKey ?? await importSpki(spki!);
  const { use = hosts === undefined ? "client" : "server", domain } = request;
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject,
    issuer: issuer?.subject ?? subject,
    notBefore: new Date(notBefore),
    notAfter: new Date(notAfter),
    publicKey,
    signingKey: signer.privateKey,
    signingAlgorithm: P256,
    extensions: [
      new BasicConstraintsExtension(authority, undefined, true),
      new KeyUsagesExtension(
        authority ? KeyUsageFlags.keyCertSign : KeyUsageFlags.digitalSignature,
        true,
      ),
      await SubjectKeyIdentifierExtension.create(publicKey, false, crypto),
      await AuthorityKeyIdentifierExtension.create(signer.publicKey, false, crypto),
      ...(authority ? [] : [new ExtendedKeyUsageExtension([ExtendedKeyUsage[`${use}Auth`]])]),
      ...(domain === undefined ? [] : [permittedNames(domain)]),
      ...(hosts === undefined ? [] : [new SubjectAlternativeNameExtension(hosts.map(hostName))]),
    ],
  }, crypto);
  const der = new Uint8Array(certificate.rawData.slice(0));
  return {
    der,
    pem: certificate.toString("pem") + "\n",
    thumbprint: await thumbprintS256(der),
    subject,
    ...(keys === undefined ? {} : { keys }),
  };
}

/** Only exported again: which digest and padding the key is imported for doesn't show. */
async function importSpki(spki: Bytes): Promise<CryptoKey> {
  const rsa = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  const curves = ["P-256", "P-384", "P-521"].map((namedCurve) => ({ ...P256, namedCurve }));
  for (const algorithm of curves) {
    try {
      return await crypto.subtle.importKey("spki", spki, algorithm, true, ["verify"]);
    } catch {
      // It is of another kind.
    }
  }
  return await crypto.subtle.importKey("spki", spki, rsa, true, ["verify"]);
}

/** NameConstraints with one permitted DNS name. */
function permittedNames(domain: string): Extension {
  const name = new TextEncoder().encode(domain);
  const wrapped = [[0x82], [0x30], [0xa0], [0x30]].reduce<number[]>(
    (content, tag) => [...tag, content.length, ...content],
    [...name],
  );
  return new Extension("2.5.29.30", true, Uint8Array.from(wrapped));
}

function serialNumber(): string {
  const octets = crypto.getRandomValues(new Uint8Array(16));
  octets[0] = (octets[0]! & 0x3f) | 0x40; // Positive, and without a leading zero.
  return Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join("");
}

function hostName(host: string): { type: GeneralNameType; value: string } {
  return { type: /^[\d.]+$|:/.test(host) ? "ip" : "dns", value: host };
}
