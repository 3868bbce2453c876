/**
 * The certificate authority of an emulator: its root, the leaves it issues to clients, the
 * certificates its own listeners show.
 *
 * @module
 */

import { randomBytes, X509Certificate } from "node:crypto";
import type { EmulatorState } from "./types.ts";
import type { Peers } from "./peers.ts";

/** What a client certificate is made of. Times in milliseconds since the Unix epoch. */
export interface LeafRequest {
  /** DER SubjectPublicKeyInfo. */
  readonly spki: Uint8Array<ArrayBuffer>;
  readonly clientId: string;
  readonly tenantId: string;
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Certificate chain and private key of a TLS server, PEM. */
export interface ServerIdentity {
  readonly cert: string;
  readonly key: string;
}

/** Whether the authority stands behind a certificate, and if not, why. */
export type Verdict = "trusted" | "untrusted" | "not_yet_valid" | "expired";

const ISSUER = "CN=managedidentitysnissuer.login.microsoft.com, O=keybound emulator";
const HOUR = 3600_000;
const YEAR = 365 * 24 * HOUR;
type ServerName = { type: "dns" | "ip"; value: string };
/** What the emulator's servers are called. */
const LOOPBACK: ServerName[] = [
  { type: "dns", value: "localhost" },
  { type: "ip", value: "127.0.0.1" },
  { type: "ip", value: "::1" },
];
const EC = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** A certificate authority that lives as long as its emulator. */
export class Authority {
  /** PEM of the root. */
  readonly ca: string;
  readonly #root: X509Certificate;
  readonly #keys: CryptoKeyPair;
  readonly #x509: Peers["x509"];
  #sequence = 0;

  private constructor(x509: Peers["x509"], root: X509Certificate, keys: CryptoKeyPair) {
    this.ca = root.toString();
    this.#root = root;
    this.#keys = keys;
    this.#x509 = x509;
  }

  /** An authority with a new key. `now`: milliseconds since the Unix epoch, by the host's clock. */
  static async create(x509: Peers["x509"], now: number): Promise<Authority> {
    const keys = await newKeys();
    const root = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: serial(0),
      name: ISSUER,
      notBefore: new Date(now - YEAR),
      notAfter: new Date(now + 20 * YEAR),
      signingAlgorithm: EC,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(
          x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
          true,
        ),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    return new Authority(x509, new X509Certificate(root.toString("pem")), keys);
  }

  /** Certificates issued to clients so far. */
  get issued(): number {
    return this.#sequence;
  }

  /** DER of a new client certificate: a serial number of its own each time. */
  async issueClient(request: LeafRequest): Promise<Uint8Array<ArrayBuffer>> {
    const x509 = this.#x509;
    const publicKey = new x509.PublicKey(request.spki);
    this.#sequence += 1;
    const leaf = await x509.X509CertificateGenerator.create({
      serialNumber: serial(this.#sequence),
      subject: [{ CN: [request.clientId] }, { DC: [request.tenantId] }],
      issuer: ISSUER,
      notBefore: new Date(request.notBefore),
      notAfter: new Date(request.notAfter),
      publicKey,
      signingKey: this.#keys.privateKey,
      signingAlgorithm: EC,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
        await x509.SubjectKeyIdentifierExtension.create(publicKey),
        await x509.AuthorityKeyIdentifierExtension.create(this.#keys.publicKey),
      ],
    });
    return new Uint8Array(leaf.rawData);
  }

  /** Which of this authority's client certificates this is: 1 for the first. 0 for any other. */
  sequenceOf(leaf: X509Certificate): number {
    return leaf.verify(this.#root.publicKey)
      ? Number.parseInt(leaf.serialNumber.slice(-12), 16)
      : 0;
  }

  /** Whether `leaf` is a client certificate of this authority and in force at `now` (ms). */
  judge(leaf: X509Certificate, now: number): Verdict {
    const ours = leaf.issuer === this.#root.subject && leaf.verify(this.#root.publicKey) &&
      leaf.keyUsage?.includes("1.3.6.1.5.5.7.3.2");
    if (!ours) return "untrusted";
    if (now < Date.parse(leaf.validFrom)) return "not_yet_valid";
    return now > Date.parse(leaf.validTo) ? "expired" : "trusted";
  }

  /** What a listener shows on loopback. `now`: ms, by the host's clock. */
  async issueServer(
    kind: EmulatorState["serverCertificate"],
    now: number,
  ): Promise<ServerIdentity> {
    const x509 = this.#x509;
    const keys = await newKeys();
    // An impostor's root has our name but another key.
    const signer = kind === "untrusted" ? await newKeys() : this.#keys;
    const names: ServerName[] = kind === "wrong_host"
      ? [{ type: "dns", value: "wrong.example" }]
      : LOOPBACK;
    const leaf = await x509.X509CertificateGenerator.create({
      serialNumber: serial(0),
      subject: [{ CN: [names[0]!.value] }],
      issuer: ISSUER,
      notBefore: new Date(now - 2 * HOUR),
      notAfter: new Date(kind === "expired" ? now - HOUR : now + YEAR),
      publicKey: keys.publicKey,
      signingKey: signer.privateKey,
      signingAlgorithm: EC,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        new x509.SubjectAlternativeNameExtension(names),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
        await x509.AuthorityKeyIdentifierExtension.create(signer.publicKey),
      ],
    });
    return { cert: leaf.toString("pem"), key: await keyPem(x509, keys.privateKey) };
  }
}

/** What a server shows on loopback that no authority stands behind. `now`: ms, host's clock. */
export async function issueSelfSigned(x509: Peers["x509"], now: number): Promise<ServerIdentity> {
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(0),
    name: "CN=localhost",
    notBefore: new Date(now - 2 * HOUR),
    notAfter: new Date(now + YEAR),
    signingAlgorithm: EC,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(LOOPBACK),
    ],
  });
  return { cert: certificate.toString("pem"), key: await keyPem(x509, keys.privateKey) };
}

async function keyPem(x509: Peers["x509"], key: CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await crypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY");
}

/** A serial number (hex) that is never negative, never repeats and ends in `sequence`. */
function serial(sequence: number): string {
  return `01${randomBytes(8).toString("hex")}${sequence.toString(16).padStart(12, "0")}`;
}

function newKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(EC, true, ["sign", "verify"]);
}
