/**
 * Public keys: which are refused, which are recognized, and whose signatures verify.
 *
 * @module
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { type Bytes, concat } from "../../src/encoding.ts";
import { isKeyboundError } from "../../src/errors.ts";
import type { SignatureScheme } from "../../src/keys.ts";
import { bitString, integer, nullValue, oid, sequence } from "../../src/x509/der_writer.ts";
import { type PublicKeyAlgorithm, publicKeyAlgorithm } from "../../src/x509/public_key.ts";
import { verifySignature } from "../../src/x509/verify.ts";
import { assertCode, assertRejectsWith, bytes } from "./support/assert.ts";
import { P256_SPKI } from "./support/certificates.ts";
import { hasOpenssl, openssl, type Scratch, scratch } from "./support/openssl.ts";
import { createSigningKey } from "./support/signing_key.ts";

const RSA = oid("1.2.840.113549.1.1.1");
const EC = oid("1.2.840.10045.2.1");
const P256 = oid("1.2.840.10045.3.1.7");
const P384 = oid("1.3.132.0.34");
const P521 = oid("1.3.132.0.35");
const DATA = bytes("6b6579626f756e64");

function rsaSpki(modulus: string, exponent: string, parameters: Bytes = nullValue()): Bytes {
  const key = sequence(bytes(modulus), bytes(exponent));
  return sequence(sequence(RSA, parameters), bitString(key));
}

function ecSpki(curve: Bytes, point: Bytes): Bytes {
  return sequence(sequence(EC, curve), bitString(point));
}

describe("publicKeyAlgorithm refuses as invalid_der", () => {
  const point = concat(bytes("04"), new Uint8Array(64));
  const invalid: readonly (readonly [reason: string, spki: Bytes])[] = [
    ["no bytes", new Uint8Array()],
    ["an empty sequence", sequence()],
    ["an algorithm without identifier", sequence(sequence(), bitString(point))],
    ["an algorithm of another type", sequence(sequence(nullValue()), bitString(point))],
    ["a key that isn't a BIT STRING", sequence(sequence(EC, P256), bytes("040104"))],
    ["a BIT STRING with unused bits", sequence(sequence(EC, P256), bytes("03020180"))],
    ["a byte behind it", concat(P256_SPKI, bytes("00"))],
    [
      "RSA without NULL",
      sequence(sequence(RSA), bitString(sequence(bytes("020103"), bytes("020103")))),
    ],
    ["RSA with other parameters", rsaSpki("020103", "020103", sequence())],
    ["RSA with parameters twice", rsaSpki("020103", "020103", bytes("05000500"))],
    [
      "an RSA key that isn't a sequence",
      sequence(sequence(RSA, nullValue()), bitString(bytes("0500"))),
    ],
    ["an RSA key of three numbers", rsaSpki("020103", "020103 020103")],
    [
      "an RSA key and a byte",
      sequence(
        sequence(RSA, nullValue()),
        bitString(bytes("3006020103020103 00")),
      ),
    ],
    ["a modulus of zero", rsaSpki("020100", "020103")],
    ["a negative modulus", rsaSpki("020180", "020103")],
    ["an exponent of zero", rsaSpki("020103", "020100")],
    ["a negative exponent", rsaSpki("020103", "0201ff")],
    ["an EC key without a curve", sequence(sequence(EC), bitString(point))],
    ["an EC key with two curves", sequence(sequence(EC, P256, P256), bitString(point))],
    ["a point of another curve", ecSpki(P384, point)],
    ["a point cut short", ecSpki(P256, point.subarray(0, 64))],
  ];
  for (const [reason, spki] of invalid) {
    it(reason, () => assertCode(() => publicKeyAlgorithm(spki), "invalid_der"));
  }
});

describe("publicKeyAlgorithm refuses as unsupported_key", () => {
  const unsupported: readonly (readonly [reason: string, spki: Bytes])[] = [
    ["Ed25519", sequence(sequence(oid("1.3.101.112")), bitString(new Uint8Array(32)))],
    [
      "id-RSASSA-PSS",
      sequence(sequence(oid("1.2.840.113549.1.1.10")), bitString(new Uint8Array(9))),
    ],
    ["another curve", ecSpki(oid("1.3.132.0.10"), concat(bytes("04"), new Uint8Array(64)))],
    ["a curve by its parameters", ecSpki(sequence(), concat(bytes("04"), new Uint8Array(64)))],
    ["a compressed point", ecSpki(P256, concat(bytes("02"), new Uint8Array(32)))],
    ["no point", ecSpki(P256, new Uint8Array())],
    ["an exponent of 1", rsaSpki("020103", "020101")],
    ["an even exponent", rsaSpki("020103", "020104")],
    ["an exponent of 33 bits", rsaSpki("020103", "02050100000001")],
  ];
  for (const [reason, spki] of unsupported) {
    it(reason, () => assertCode(() => publicKeyAlgorithm(spki), "unsupported_key"));
  }
});

describe("publicKeyAlgorithm recognizes", () => {
  const point = (size: number) => concat(bytes("04"), new Uint8Array(2 * size));
  const known: readonly (readonly [what: string, spki: Bytes, algorithm: PublicKeyAlgorithm])[] = [
    ["P-256", P256_SPKI, { type: "ec", curve: "P-256" }],
    ["P-384", ecSpki(P384, point(48)), { type: "ec", curve: "P-384" }],
    ["P-521", ecSpki(P521, point(66)), { type: "ec", curve: "P-521" }],
    ["a modulus to the bit", rsaSpki("020200ff", "020103"), rsa(8, 3)],
    ["a modulus whose top bits are zero", rsaSpki("02020100", "0203010001"), rsa(9, 65_537)],
    ["an exponent of 32 bits", rsaSpki("02020100", "020500ffffffff"), rsa(9, 0xffff_ffff)],
    [
      "RSA-2048",
      sequence(
        sequence(RSA, nullValue()),
        bitString(sequence(integer(new Uint8Array(256).fill(0xff)), integer(bytes("010001")))),
      ),
      rsa(2048, 65_537),
    ],
  ];
  for (const [what, spki, algorithm] of known) {
    it(what, () => assert.deepEqual(publicKeyAlgorithm(spki), algorithm));
  }

  function rsa(modulusBits: number, exponent: number): PublicKeyAlgorithm {
    return { type: "rsa", modulusBits, exponent };
  }
});

describe("verifySignature", () => {
  it("rejects a scheme of another kind of key or another curve", async () => {
    const schemes: readonly SignatureScheme[] = ["rsa_pss_rsae_sha256", "ecdsa_secp384r1_sha384"];
    for (const scheme of schemes) {
      await assertRejectsWith(
        verifySignature(scheme, P256_SPKI, DATA, new Uint8Array(70)),
        "unsupported_key",
      );
    }
    const rsa = rsaSpki("02020101", "0203010001");
    await assertRejectsWith(
      verifySignature("ecdsa_secp256r1_sha256", rsa, DATA, new Uint8Array(2)),
      "unsupported_key",
    );
  });

  it("rejects bytes that aren't a key", async () => {
    await assertRejectsWith(
      verifySignature("rsa_pkcs1_sha256", bytes("3000"), DATA, DATA),
      "unsupported_key",
    );
  });

  it("rejects a point off its curve", async () => {
    const offCurve = P256_SPKI.slice();
    offCurve[offCurve.length - 1]! ^= 1;
    await assert.rejects(
      verifySignature("ecdsa_secp256r1_sha256", offCurve, DATA, bytes("3006020101020101")),
      (error) => isKeyboundError(error, "unsupported_key") && error.cause !== undefined,
    );
  });
});

const SCHEMES: Readonly<Record<SignatureScheme, { key: string; sign: readonly string[] }>> = {
  rsa_pss_rsae_sha256: { key: "rsa", sign: pss("sha256") },
  rsa_pss_rsae_sha384: { key: "rsa", sign: pss("sha384") },
  rsa_pss_rsae_sha512: { key: "rsa", sign: pss("sha512") },
  rsa_pkcs1_sha256: { key: "rsa", sign: ["-sha256"] },
  rsa_pkcs1_sha384: { key: "rsa", sign: ["-sha384"] },
  rsa_pkcs1_sha512: { key: "rsa", sign: ["-sha512"] },
  ecdsa_secp256r1_sha256: { key: "P-256", sign: ["-sha256"] },
  ecdsa_secp384r1_sha384: { key: "P-384", sign: ["-sha384"] },
  ecdsa_secp521r1_sha512: { key: "P-521", sign: ["-sha512"] },
};

function pss(digest: string, salt: string = "digest"): readonly string[] {
  const padding = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", `rsa_pss_saltlen:${salt}`];
  return [`-${digest}`, ...padding];
}

(hasOpenssl ? describe : describe.skip)("a signature by openssl", () => {
  let files: Scratch;
  const spkis = new Map<string, Bytes>();

  before(() => {
    files = scratch();
    for (const key of ["rsa", "P-256", "P-384", "P-521"]) {
      const algorithm = key === "rsa"
        ? ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
        : ["-algorithm", "EC", "-pkeyopt", `ec_paramgen_curve:${key}`];
      openssl(["genpkey", ...algorithm, "-out", files.path(key)]);
      spkis.set(key, openssl(["pkey", "-in", files.path(key), "-pubout", "-outform", "DER"]));
    }
  });
  after(() => files.remove());

  const sign = (key: string, options: readonly string[]): Bytes =>
    openssl(["dgst", "-sign", files.path(key), ...options], DATA);

  it("with a salt of another length than the digest's is false", async () => {
    for (const salt of ["0", "20", "max"]) {
      const signature = sign("rsa", pss("sha256", salt));
      const spki = spkis.get("rsa")!;
      assert.equal(
        await verifySignature("rsa_pss_rsae_sha256", spki, DATA, signature),
        false,
        salt,
      );
    }
  });

  for (const [name, { key, sign: options }] of Object.entries(SCHEMES)) {
    it(`is true for ${name}, its own data and its own scheme alone`, async () => {
      const scheme = name as SignatureScheme;
      const spki = spkis.get(key)!;
      const signature = sign(key, options);
      assert.equal(await verifySignature(scheme, spki, DATA, signature), true);
      assert.equal(await verifySignature(scheme, spki, DATA.slice(1), signature), false);
      for (const [other, its] of Object.entries(SCHEMES)) {
        if (its.key !== key || other === name) continue;
        const verdict = await verifySignature(other as SignatureScheme, spki, DATA, signature);
        assert.equal(verdict, false, other);
      }
    });
  }
});

describe("a changed signature", () => {
  for (const kind of ["RSA-2048", "P-256", "P-384", "P-521"] as const) {
    it(`of ${kind} is false, whatever its form`, async () => {
      const key = await createSigningKey(kind);
      const scheme = key.schemes[0]!;
      const valid = await key.sign(scheme, DATA);
      assert.equal(await verifySignature(scheme, key.spki, DATA, valid), true);
      const changed = fc.oneof(
        fc.uint8Array({ maxLength: 300 }),
        fc.tuple(fc.nat(valid.length - 1), fc.integer({ min: 1, max: 255 })).map(([at, bits]) =>
          valid.map((octet, index) => index === at ? octet ^ bits : octet)
        ),
        fc.nat(valid.length - 1).map((length) => valid.subarray(0, length)),
        fc.uint8Array({ minLength: 1, maxLength: 9 }).map((more) => concat(valid, more)),
        fc.constantFrom(0, 1, 0xff).map((octet) => new Uint8Array(valid.length).fill(octet)),
      );
      await fc.assert(
        fc.asyncProperty(changed, async (signature) => {
          const verdict = await verifySignature(scheme, key.spki, DATA, Uint8Array.from(signature));
          assert.equal(verdict, false);
        }),
        { numRuns: 30 },
      );
    });
  }
});
