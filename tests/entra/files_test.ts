/**
 * Credentials from files: PEM and PKCS#12 as openssl writes them.
 *
 * @module
 */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { inspect } from "node:util";
import { deriveBytes } from "../../backends/pkcs12/legacy_encryption.ts";
import { pkcs12Credential } from "../../backends/pkcs12/mod.ts";
import { webcryptoKeys } from "../../backends/webcrypto/mod.ts";
import type { ClientCredential } from "../../src/credential.ts";
import { KeyboundError } from "../../src/errors.ts";
import { fromBase64, hex, utf8 } from "../../src/encoding.ts";
import { certificateCredential, pemCredential } from "../../src/entra/pem_credential.ts";
import { encodePem } from "../../src/x509/pem.ts";
import { verifySignature } from "../../src/x509/verify.ts";
import { certificateAuthority, issueCertificate } from "../support/certificates.ts";

let directory: string;
const openssl = (...args: string[]) =>
  execFileSync("openssl", args, { cwd: directory, stdio: ["ignore", "ignore", "pipe"] });
const text = (name: string) => readFileSync(join(directory, name), "utf8");
const file = (name: string) => new Uint8Array(readFileSync(join(directory, name)));

before(() => {
  directory = mkdtempSync(join(tmpdir(), "keybound-files-"));
  for (const [name, algorithm] of [["ca", "rsa:2048"], ["other", "rsa:2048"]] as const) {
    openssl(
      ...["req", "-x509", "-newkey", algorithm, "-nodes", "-days", "30", "-subj", `/CN=${name}`],
      ...["-keyout", `${name}.key`, "-out", `${name}.crt`],
    );
  }
  openssl(
    ...["req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=leaf"],
    ...["-keyout", "leaf.key", "-out", "leaf.csr"],
  );
  openssl(
    ...["x509", "-req", "-in", "leaf.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-days", "30"],
    ...["-CAcreateserial", "-out", "leaf.crt"],
  );
  const pair = ["-inkey", "leaf.key", "-in", "leaf.crt"];
  const secret = ["-passout", "pass:sécret"];
  const p12 = (name: string, ...args: string[]) =>
    openssl("pkcs12", "-export", ...args, "-out", `${name}.p12`);
  p12("modern", ...pair, "-certfile", "ca.crt", ...secret);
  p12("empty", ...pair, "-passout", "pass:");
  p12("nokey", "-nokeys", "-in", "leaf.crt", ...secret);
  p12("nomac", "-nomac", ...pair, ...secret);
  p12("plain", "-keypbe", "NONE", "-certpbe", "NONE", ...pair, ...secret);
  const triple = ["-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1"];
  p12("triple", ...triple, ...pair, ...secret);
  p12("triple_empty", ...triple, ...pair, "-passout", "pass:");
  p12("triple_nomac", ...triple, "-nomac", ...pair, ...secret);
  openssl("pkcs8", "-topk8", "-in", "leaf.key", "-out", "sealed.key", "-passout", "pass:x");
  openssl("rsa", "-in", "leaf.key", "-traditional", "-out", "old.key");
});
after(() => rmSync(directory, { recursive: true, force: true }));

/** Rounds that take no time, and need as many bytes as those that do. */
const FEW_ROUNDS = 70_000;

/** A PKCS#12 file with the password `x` whose key and certificate took this many rounds each. */
function exported(cipher: string, rounds: number, ...more: string[]): Uint8Array {
  const slow = ["-keypbe", cipher, "-certpbe", cipher, "-iter", `${rounds}`, ...more];
  const pair = ["-inkey", "leaf.key", "-in", "leaf.crt", "-passout", "pass:x"];
  openssl("pkcs12", "-export", ...slow, ...pair, "-out", "rounds.p12");
  return file("rounds.p12");
}

/** The file, saying that it took other rounds than the few that it did. */
function claiming(bytes: Uint8Array, rounds: number): Uint8Array {
  const integer = (value: number) => `0203${value.toString(16).padStart(6, "0")}`;
  const [said, says] = [integer(FEW_ROUNDS), integer(rounds)];
  assert.ok(hex(bytes).includes(said));
  const pairs = hex(bytes).replaceAll(said, says).match(/../g)!;
  return Uint8Array.from(pairs, (pair) => parseInt(pair, 16));
}

/** Parts of the leaf's private key as a text could show it: lines of its PEM, numbers, hex. */
function readKey(): string[] {
  const lines = text("leaf.key").split("\n").slice(2, 20);
  const der = fromBase64(lines.slice(4, 8).join(""));
  return [...lines, [...der.slice(0, 12)].join(", "), hex(der.slice(0, 8))];
}

/** Fails unless the key signs for the leaf. */
async function assertSigns({ key, leaf }: ClientCredential): Promise<void> {
  const data = utf8("to be signed");
  const signature = await key.sign("rsa_pss_rsae_sha256", data);
  assert.ok(await verifySignature("rsa_pss_rsae_sha256", leaf.spki, data, signature));
}

describe("a PEM text", () => {
  const wrong: [name: string, make: () => [certificates: string, key: string], code: string][] = [
    ["without a key", () => [text("leaf.crt"), text("leaf.crt")], "cert_without_private_key"],
    ["without a certificate", () => [text("leaf.key"), text("leaf.key")], "invalid_pem"],
    ["that is empty", () => ["", ""], "invalid_pem"],
    [
      "with an encrypted key",
      () => [text("leaf.crt"), text("sealed.key")],
      "invalid_credential_material",
    ],
    [
      "with two keys",
      () => [text("leaf.crt"), text("leaf.key") + text("other.key")],
      "invalid_credential_material",
    ],
    [
      "with a key in its old form",
      () => [text("leaf.crt"), text("old.key")],
      "invalid_credential_material",
    ],
    [
      "with a key that is none",
      () => [text("leaf.crt"), encodePem("PRIVATE KEY", utf8("no key"))],
      "invalid_credential_material",
    ],
    [
      "with another certificate's key",
      () => [text("leaf.crt"), text("other.key")],
      "certificate_key_mismatch",
    ],
    [
      "with a certificate that is none",
      () => [encodePem("CERTIFICATE", utf8("x")), text("leaf.key")],
      "invalid_der",
    ],
    [
      "with a chain that nobody has",
      () => [text("leaf.crt").repeat(65), text("leaf.key")],
      "invalid_credential_material",
    ],
  ];
  for (const [name, make, code] of wrong) {
    it(`${name}: ${code}`, async () => {
      const [certificates, privateKey] = make();
      const made = pemCredential(certificates, { privateKey });
      await assert.rejects(made, (error: Error & { code: string }) => {
        assert.equal(error.code, code);
        assert.equal(error.message.includes("MII"), false);
        return true;
      });
    });
  }

  it("is a credential, its chain in order wherever the leaf stands", async () => {
    const parts = [text("other.crt"), text("ca.crt"), text("leaf.key"), text("leaf.crt")];
    const credential = await pemCredential(parts.join("\n"));
    await assertSigns(credential);
    const names = credential.chain.map((der) => encodePem("CERTIFICATE", der).replace(/\s/g, ""));
    const bare = (name: string) => text(name).replace(/\s/g, "");
    assert.deepEqual(names, [bare("leaf.crt"), bare("ca.crt")]);
  });

  it("may have its key in a text of its own, and line ends of Windows", async () => {
    const certificates = text("leaf.crt").replaceAll("\n", "\r\n");
    await assertSigns(await pemCredential(certificates, { privateKey: text("leaf.key") }));
  });
});

describe("a backend's key with its certificates", () => {
  it("is no credential when they were issued for another key", async () => {
    const key = await webcryptoKeys().create("k", { algorithm: "P-256" });
    const made = certificateCredential(text("leaf.crt"), key);
    await assert.rejects(made, { code: "certificate_key_mismatch" });
    await assert.rejects(certificateCredential([], key), { code: "certificate_key_mismatch" });
  });

  it("is a credential with the certificate that lives longest, PEM or DER", async () => {
    const key = await webcryptoKeys().create("k", { algorithm: "P-256" });
    const issuer = await certificateAuthority();
    const now = Date.now();
    const issue = (days: number) =>
      issueCertificate({ spki: key.spki, issuer, notAfter: now + days * 86_400_000 });
    const [short, long] = [await issue(1), await issue(9)];
    const byDer = await certificateCredential([short.der, issuer.der, long.der], key);
    assert.equal(byDer.thumbprint, long.thumbprint);
    assert.equal(byDer.chain.length, 2);
    const byPem = await certificateCredential(`${short.pem}\n${long.pem}`, key);
    assert.equal(byPem.thumbprint, long.thumbprint);
    assert.equal(byPem.key, key);
  });
});

describe("a PKCS#12 file", () => {
  const password = "sécret";
  const wrong: [name: string, make: () => Uint8Array, password: string, code: string][] = [
    ["with a wrong password", () => file("modern.p12"), "secret", "wrong_password"],
    ["with no password", () => file("modern.p12"), "", "wrong_password"],
    ["without MAC, with a wrong password", () => file("nomac.p12"), "wrong", "wrong_password"],
    ["of triple DES, with a wrong password", () => file("triple.p12"), "wrong", "wrong_password"],
    [
      "of triple DES without MAC, with a wrong password",
      () => file("triple_nomac.p12"),
      "wrong",
      "wrong_password",
    ],
    ["without a key", () => file("nokey.p12"), password, "cert_without_private_key"],
    ["that is empty", () => new Uint8Array(), password, "invalid_credential_material"],
    ["that is PEM", () => file("leaf.crt"), password, "invalid_credential_material"],
    ["that is DER of something else", () => derOf("leaf.crt"), "", "invalid_credential_material"],
    [
      "that is cut short",
      () => file("modern.p12").slice(0, 900),
      "",
      "invalid_credential_material",
    ],
    ["that is huge", () => new Uint8Array(2 ** 20 + 1), "", "invalid_credential_material"],
    ["that was changed", () => changed(file("modern.p12")), password, "wrong_password"],
  ];
  for (const [name, make, given, code] of wrong) {
    it(`${name}: ${code}`, async () => {
      await assert.rejects(pkcs12Credential(make(), { password: given }), { code });
    });
  }

  it("encrypted by RC2 says how to export it anew", async (t) => {
    const legacy = ["-legacy", "-inkey", "leaf.key", "-in", "leaf.crt", "-passout", "pass:x"];
    openssl("pkcs12", "-export", ...legacy, "-out", "legacy.p12");
    t.after(() => rmSync(join(directory, "legacy.p12")));
    await assert.rejects(pkcs12Credential(file("legacy.p12"), { password: "x" }), {
      code: "invalid_credential_material",
      message: /AES-256/,
    });
  });

  for (
    const [name, given] of [
      ["modern", password],
      ["nomac", password],
      ["plain", password],
      ["triple", password],
      ["triple_nomac", password],
      ["empty", ""],
      ["triple_empty", ""],
    ] as const
  ) {
    it(`(${name}) is the credential that its PEM is`, async () => {
      const credential = await pkcs12Credential(file(`${name}.p12`), { password: given });
      await assertSigns(credential);
      const { thumbprint } = await pemCredential(text("leaf.crt") + text("leaf.key"));
      assert.equal(credential.thumbprint, thumbprint);
      assert.equal(credential.chain.length, name === "modern" ? 2 : 1);
    });
  }

  it("that was changed anywhere is an error of this library, or the same credential", async () => {
    const good = file("modern.p12");
    const { thumbprint } = await pkcs12Credential(good, { password });
    const codes = new Set<string>();
    for (let position = 0; position < good.length; position += 11) {
      const bad = good.slice();
      bad[position]! ^= 0xff;
      const outcome = await pkcs12Credential(bad, { password }).then(
        (credential) => credential.thumbprint,
        (error) => error instanceof KeyboundError ? void codes.add(error.code) : error,
      );
      assert.ok(outcome === undefined || outcome === thumbprint, `${position}: ${outcome}`);
    }
    assert.ok(codes.has("wrong_password") && codes.has("invalid_credential_material"));
  });

  it("that would take for ever to read is refused at once", async () => {
    for (const [cipher, rounds] of [["AES-256-CBC", 3_000_000], ["PBE-SHA1-3DES", 700_000]]) {
      for (const more of [[], ["-nomac"]]) {
        const quick = exported(`${cipher}`, FEW_ROUNDS, ...more);
        const slow = claiming(quick, more.length === 0 ? 3_000_000 : Number(rounds));
        await assert.rejects(pkcs12Credential(slow, { password: "x" }), {
          code: "invalid_credential_material",
        });
      }
    }
  });

  it("that would take long in many small steps is refused as well", async () => {
    const slow = exported("AES-256-CBC", 700_000);
    await assert.rejects(pkcs12Credential(slow, { password: "x" }), {
      code: "invalid_credential_material",
      message: /takes too long/,
    });
  });

  it("has neither its password nor its key in an error", async () => {
    const key = readKey();
    const wrong: (() => Promise<unknown>)[] = [
      ...["modern", "nomac", "triple", "triple_nomac", "plain"].map((name) => () =>
        pkcs12Credential(changed(file(`${name}.p12`)), { password })
      ),
      ...["modern", "triple"].map((name) => () =>
        pkcs12Credential(file(`${name}.p12`), { password: `${password}!` })
      ),
      () => pkcs12Credential(file("nokey.p12"), { password }),
      () => pemCredential(text("other.crt") + text("leaf.key")),
      () => pemCredential(text("leaf.crt") + text("leaf.key") + text("leaf.key")),
      () => pemCredential(text("leaf.crt") + text("leaf.key").replace("M", "!")),
    ];
    let refused = 0;
    for (const make of wrong) {
      const error = await make().catch((error) => error);
      if (!(error instanceof KeyboundError)) continue;
      refused++;
      const shown = inspect(error, { depth: 20, showHidden: true, maxArrayLength: null });
      for (const secret of [password, ...key]) assert.equal(shown.includes(secret), false);
    }
    assert.ok(refused >= 8, `${refused} of ${wrong.length}`);
  });

  it("that is nested without end is refused at once", async () => {
    for (const tag of [0x24, 0x30, 0xa0]) {
      const nested = new Uint8Array(2 ** 20).map((_, i) => i % 2 === 0 ? tag : 0x80);
      await assert.rejects(pkcs12Credential(nested), { code: "invalid_credential_material" });
    }
  });

  it("has keys derived as RFC 7292 appendix B says", () => {
    // Published test vectors of the PKCS#12 key derivation with SHA-1.
    const salt = Uint8Array.from([0x0a, 0x58, 0xcf, 0x64, 0x53, 0x0d, 0x82, 0x3f]);
    assert.equal(
      hex(deriveBytes("key", 24, "smeg", { salt, iterations: 1 })),
      "8aaae6297b6cb04642ab5b077851284eb7128f1a2a7fbca3",
    );
    assert.equal(hex(deriveBytes("iv", 8, "smeg", { salt, iterations: 1 })), "79993dfe048d3b76");
  });
});

function derOf(name: string): Uint8Array {
  return fromBase64(text(name).replace(/-----.*-----/g, "").replace(/\s/g, ""));
}

/** The file with its last certificate's bytes changed: what the MAC is there to show. */
function changed(bytes: Uint8Array): Uint8Array {
  bytes[600]! ^= 1;
  return bytes;
}
