/**
 * Certificates made by openssl and `@peculiar/x509`, read by us, by them and by the runtime.
 *
 * @module
 */

import "reflect-metadata";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { X509Certificate } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { X509CertificateGenerator } from "@peculiar/x509";
import { type Bytes, hex } from "../../src/encoding.ts";
import { type Certificate, parseCertificate } from "../../src/x509/certificate.ts";
import {
  attribute,
  COMMON_NAME,
  DOMAIN_COMPONENT,
  formatName,
  type Name,
  parseName,
} from "../../src/x509/name.ts";
import { thumbprintS256 } from "../../src/x509/thumbprint.ts";
import { hasOpenssl, openssl, opensslText, type Scratch, scratch } from "./support/openssl.ts";
import { ourReading, peculiarReading } from "./support/peculiar.ts";

const DATE = /^not(?:Before|After)=(\S+) (\S+)Z$/gm;

/** The name with its relative names in reverse: printed, the order of openssl's `oneline`. */
function reversed(name: Name): Name {
  const last = name.at(-1)?.rdn ?? 0;
  return name.map((attribute) => ({ ...attribute, rdn: last - attribute.rdn }));
}

const READ = "x509 -inform DER -noout -pubkey -serial -subject -issuer -dates -dateopt iso_8601";

/** Asserts that openssl reads the same. */
function assertLikeOpenssl(certificate: Certificate): void {
  const text = opensslText(
    [...READ.split(" "), "-nameopt", "sep_comma_plus,esc_2253,utf8,sname"],
    certificate.der,
  );
  const field = (name: string) => new RegExp(`^${name}=(.*)$`, "m").exec(text)?.[1];
  assert.equal(field("subject"), formatName(reversed(parseName(certificate.subject))));
  assert.equal(field("issuer"), formatName(reversed(parseName(certificate.issuer))));
  assert.equal(BigInt(`0x${field("serial")}`), BigInt(`0x${hex(certificate.serialNumber)}`));
  const dates = [...text.matchAll(DATE)].map(([, day, time]) => Date.parse(`${day}T${time}Z`));
  assert.deepEqual(dates, [certificate.notBefore, certificate.notAfter]);
  const spki = /-----BEGIN PUBLIC KEY-----([^-]+)-----END/.exec(text)?.[1] ?? "";
  assert.equal(hex(certificate.spki), Buffer.from(spki, "base64").toString("hex"));
}

/** Asserts that the runtime's own `X509Certificate` reads the same. */
function assertLikeRuntime(certificate: Certificate): void {
  const its = new X509Certificate(certificate.der);
  assert.equal(BigInt(`0x${its.serialNumber}`), BigInt(`0x${hex(certificate.serialNumber)}`));
  assert.equal(Date.parse(its.validFrom), certificate.notBefore);
  assert.equal(Date.parse(its.validTo), certificate.notAfter);
  const spki = its.publicKey.export({ type: "spki", format: "der" });
  assert.equal(hex(spki), hex(certificate.spki));
}

(hasOpenssl ? describe : describe.skip)("a certificate by openssl", () => {
  let files: Scratch;
  before(() => {
    files = scratch();
  });
  after(() => files.remove());

  /** A self-signed certificate with these lines as its name and these options of `req`. */
  function issue(name: string, mask: string, ...options: readonly string[]): Bytes {
    const config = files.write(
      "req.cnf",
      `
[req]
distinguished_name = name
prompt = no
utf8 = yes
string_mask = ${mask}
x509_extensions = extensions
[name]
${name}
[extensions]
basicConstraints = critical, CA:TRUE
subjectAltName = DNS:host.example, otherName:1.2.3.4;UTF8:text
`,
    );
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
    return openssl([
      "req",
      "-config",
      config,
      "-x509",
      "-nodes",
      "-keyout",
      files.path("key.pem"),
      ...(options.includes("-newkey") ? [] : key),
      "-outform",
      "DER",
      ...options,
    ]);
  }

  const cases:
    readonly (readonly [what: string, name: string, mask: string, ...options: string[]])[] = [
      [
        "of a managed identity",
        "DC = 72f988bf-86f1-41af-91ab-2d7cd011db47\nCN = 6f1c2f3e-0000-4000-8000-000000000001",
        "default",
      ],
      ["on an RSA key", "CN = rsa", "utf8only", "-newkey", "rsa:2048"],
      ["on P-384", "CN = ec", "utf8only", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
      ["on P-521", "CN = ec", "utf8only", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521"],
      [
        "signed with RSA-PSS",
        "CN = pss",
        "utf8only",
        "-newkey",
        "rsa:2048",
        "-sigopt",
        "rsa_padding_mode:pss",
      ],
      ["on Ed25519", "CN = ed", "utf8only", "-newkey", "ed25519"],
      ["valid beyond 2050", "CN = long", "utf8only", "-days", "20000"],
      ["with letters beyond ASCII in UTF-8", "CN = Zoë 中文 🔑", "utf8only"],
      ["with letters beyond ASCII in UTF-16", "O = 中文\nCN = Ω", "default"],
      ["with letters beyond ASCII in TeletexString", "CN = Zoë ß", "MASK:0x0006"],
      ["with an IA5String", "DC = a_b@host.example\nCN = x", "default"],
      ["with special characters", `CN = "a,b+c\\\\d;e<f>g=h"\nOU = "#x"\nO = " y "`, "default"],
      [
        "with several attributes in one relative name",
        "C = DE\nO = o\n+OU = p\n+CN = q\nCN = r",
        "default",
      ],
      ["with one type twice", "DC = com\n1.DC = example\nOU = a\n1.OU = b", "default"],
      [
        "with a serial number whose top bit is set",
        "CN = serial",
        "default",
        "-set_serial",
        "0xff00000000000001",
      ],
    ];
  for (const [what, name, mask, ...options] of cases) {
    it(`${what} is read as others read it`, () => {
      const certificate = parseCertificate(issue(name, mask, ...options));
      assertLikeOpenssl(certificate);
      assertLikeRuntime(certificate);
      assert.deepEqual(ourReading(certificate), peculiarReading(certificate.der));
    });
  }

  it("of version 1 is read as others read it", () => {
    issue("CN = unused", "default");
    const request = openssl([
      "req",
      "-new",
      "-config",
      files.path("req.cnf"),
      "-key",
      files.path("key.pem"),
      "-subj",
      "/DC=t/CN=v1",
    ]);
    const der = openssl([
      "x509",
      "-req",
      "-signkey",
      files.path("key.pem"),
      "-outform",
      "DER",
      "-days",
      "9",
    ], request);
    assert.match(opensslText(["x509", "-inform", "DER", "-noout", "-text"], der), /Version: 1 /);
    const certificate = parseCertificate(der);
    assertLikeOpenssl(certificate);
    assertLikeRuntime(certificate);
    assert.deepEqual(ourReading(certificate), peculiarReading(der));
  });

  it("has the thumbprint openssl says", async () => {
    const der = issue("CN = thumb", "default");
    const text = opensslText(["x509", "-inform", "DER", "-noout", "-fingerprint", "-sha256"], der);
    const digest = text.trim().split("=")[1]!.replaceAll(":", "");
    assert.equal(await thumbprintS256(der), Buffer.from(digest, "hex").toString("base64url"));
  });

  it("names client and tenant where a binding certificate has them", () => {
    const certificate = parseCertificate(issue("DC = tenant\nCN = client", "default"));
    const [subject, issuer] = [parseName(certificate.subject), parseName(certificate.issuer)];
    assert.equal(attribute(subject, COMMON_NAME), "client");
    assert.equal(attribute(subject, DOMAIN_COMPONENT), "tenant");
    assert.equal(formatName(issuer), "CN=client,DC=tenant");
  });
});

describe("a certificate by @peculiar/x509", () => {
  const algorithms = [
    { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
    { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" },
    {
      name: "RSASSA-PKCS1-v1_5",
      hash: "SHA-256",
      modulusLength: 2048,
      publicExponent: Uint8Array.of(1, 0, 1),
    },
    {
      name: "RSA-PSS",
      hash: "SHA-256",
      modulusLength: 2048,
      publicExponent: Uint8Array.of(1, 0, 1),
    },
  ];
  for (const algorithm of algorithms) {
    it(`on ${algorithm.name} ${algorithm.hash} is read as it was made`, async () => {
      const usages: KeyUsage[] = ["sign", "verify"];
      const keys = await crypto.subtle.generateKey(algorithm, true, usages) as CryptoKeyPair;
      const notBefore = new Date("2049-12-31T23:59:59Z");
      const notAfter = new Date("2050-01-01T00:00:00Z");
      const made = await X509CertificateGenerator.createSelfSigned({
        name: "DC=tenant, CN=client",
        serialNumber: "00ff",
        notBefore,
        notAfter,
        keys,
        signingAlgorithm: {
          ...algorithm,
          ...(algorithm.name === "RSA-PSS" ? { saltLength: 32 } : {}),
        },
      });
      const certificate = parseCertificate(new Uint8Array(made.rawData));
      assert.deepEqual(ourReading(certificate), {
        serialNumber: "ff",
        issuer: [{ [DOMAIN_COMPONENT]: ["tenant"] }, { [COMMON_NAME]: ["client"] }],
        subject: [{ [DOMAIN_COMPONENT]: ["tenant"] }, { [COMMON_NAME]: ["client"] }],
        notBefore: notBefore.getTime(),
        notAfter: notAfter.getTime(),
        spki: hex(new Uint8Array(await crypto.subtle.exportKey("spki", keys.publicKey))),
      });
      assertLikeRuntime(certificate);
    });
  }
});
