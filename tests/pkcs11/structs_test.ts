/**
 * The structs of PKCS#11 in bytes, and what an RSA key signs.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type DigestBits, digestInfo, encodePss } from "../../backends/pkcs11/padding.ts";
import {
  ecSpki,
  P256_PARAMETERS,
  publicKeyTemplate,
  rsaSpki,
} from "../../backends/pkcs11/public_key.ts";
import { structsOf } from "../../backends/pkcs11/structs.ts";
import { concat, equalBytes, hex, utf8 } from "../../src/encoding.ts";
import { isKeyboundError } from "../../src/errors.ts";
import { publicKeyAlgorithm } from "../../src/x509/public_key.ts";
import { verifySignature } from "../../src/x509/verify.ts";
import { padPkcs1, rawRsa } from "./support/raw_rsa.ts";

const UNIX = structsOf({ pointer: 8, long: 8 }, false);
const WINDOWS = structsOf({ pointer: 8, long: 4 }, true);
const BASE = 0x1000n;
const at = () => BASE;

describe("a template", () => {
  const attributes = [[0x102, Uint8Array.of(7, 8)], [0x003, utf8("k")]] as const;

  it("has 24 bytes an attribute where CK_ULONG has 8, and its values behind them", () => {
    const { block, count } = UNIX.template(attributes, at);
    assert.equal(count, 2n);
    assert.equal(
      hex(block),
      "0201000000000000" + "3010000000000000" + "0200000000000000" +
        "0300000000000000" + "3210000000000000" + "0100000000000000" + "0708" + "6b",
    );
  });

  it("is packed to 16 bytes an attribute on Windows", () => {
    const { block } = WINDOWS.template(attributes, at);
    assert.equal(
      hex(block),
      "02010000" + "2010000000000000" + "02000000" +
        "03000000" + "2210000000000000" + "01000000" + "0708" + "6b",
    );
  });

  it("without attributes has a block all the same: an empty one has no address", () => {
    const { block, count } = UNIX.template([], at);
    assert.equal(count, 0n);
    assert.ok(block.length > 0);
  });
});

describe("a mechanism", () => {
  it("points at the parameter behind it", () => {
    const mechanism = { type: 0xd, parameter: [0x250, 2, 32] };
    assert.equal(
      hex(UNIX.mechanism(mechanism, at)),
      "0d00000000000000" + "1810000000000000" + "1800000000000000" +
        "5002000000000000" + "0200000000000000" + "2000000000000000",
    );
    assert.equal(
      hex(WINDOWS.mechanism(mechanism, at)),
      "0d000000" + "1010000000000000" + "0c000000" + "50020000" + "02000000" + "20000000",
    );
  });

  it("without a parameter points nowhere", () => {
    assert.equal(hex(WINDOWS.mechanism({ type: 0x1041 }, at)), "41100000" + "00".repeat(12));
  });
});

describe("the other structs", () => {
  it("have their standard's sizes and places", () => {
    assert.equal(UNIX.tokenInfoSize, 208);
    assert.equal(WINDOWS.tokenInfoSize, 160);
    assert.equal(UNIX.functionOffset(43), 8 + 43 * 8);
    assert.equal(WINDOWS.functionOffset(43), 2 + 43 * 8);
    assert.equal(hex(UNIX.initializeArguments(2)), "00".repeat(32) + "02" + "00".repeat(15));
    assert.equal(hex(WINDOWS.initializeArguments(2)), "00".repeat(32) + "02" + "00".repeat(11));
  });

  it("give a token's texts without what fills them up", () => {
    const bytes = new Uint8Array(208).fill(0x20, 0, 96);
    bytes.set(utf8("the token"));
    bytes.set(utf8("SW TPM\0\0"), 64);
    bytes.fill(0, 72, 80);
    bytes[96] = 4;
    bytes.fill(0xff, 112, 120);
    const info = UNIX.tokenInfo(bytes);
    assert.deepEqual(info, {
      label: "the token",
      manufacturer: "",
      model: "SW TPM",
      serial: "",
      flags: 4,
      sessions: undefined,
    });
  });

  it("keep all 64 bits of a handle", () => {
    const handles = Uint8Array.of(...new Uint8Array(8), 1, 0, 0, 0, 0, 0, 0, 0xff);
    assert.equal(UNIX.readUlong(handles, 1), 0xff00_0000_0000_0001n);
  });

  it("tell of an attribute that can't be had", () => {
    const query = UNIX.query(0x102, undefined, at);
    assert.equal(UNIX.queriedLength(query), 0);
    query.fill(0xff, 16);
    assert.equal(UNIX.queriedLength(query), undefined);
  });
});

describe("the encodings of RFC 8017", () => {
  for (const bits of [256, 384, 512] as const) {
    for (const modulusLength of [2048, 2056, 2049]) {
      it(`pad for a raw RSA operation of ${modulusLength} bits so that SHA-${bits} verifies`, async () => {
        const { spki, raw, modulusBits } = await rawRsa(modulusLength);
        const data = utf8("to be signed");
        const salt = crypto.getRandomValues(new Uint8Array(bits / 8));
        const pss = raw(encodePss(bits, data, modulusBits, salt));
        assert.ok(await verifySignature(`rsa_pss_rsae_sha${bits}`, spki, data, pss));
        const pkcs1 = raw(padPkcs1(digestInfo(bits, data), Math.ceil(modulusBits / 8)));
        assert.ok(await verifySignature(`rsa_pkcs1_sha${bits}`, spki, data, pkcs1));
        const other = (bits === 256 ? 384 : 256) as DigestBits;
        assert.ok(!await verifySignature(`rsa_pss_rsae_sha${other}`, spki, data, pss));
      });
    }
  }
});

describe("a public key's attributes", () => {
  const point = concat(Uint8Array.of(4), new Uint8Array(64).fill(9));

  it("are refused for a compressed point and for a curve that isn't used", () => {
    const compressed = concat(Uint8Array.of(2), new Uint8Array(32));
    const secp256k1 = Uint8Array.of(6, 5, 0x2b, 0x81, 4, 0, 10);
    const isUnsupported = (error: unknown) => isKeyboundError(error, "unsupported_key");
    assert.throws(() => ecSpki(P256_PARAMETERS, compressed), isUnsupported);
    assert.throws(() => ecSpki(secp256k1, point), isUnsupported);
  });

  it("make one SPKI of a bare point and of one in an OCTET STRING", () => {
    const wrapped = concat(Uint8Array.of(4, 65), point);
    assert.ok(equalBytes(ecSpki(P256_PARAMETERS, point), ecSpki(P256_PARAMETERS, wrapped)));
    // A bare point that begins like an OCTET STRING of another length.
    const alike = Uint8Array.from(point);
    alike[1] = 65;
    assert.equal(publicKeyAlgorithm(ecSpki(P256_PARAMETERS, alike)).type, "ec");
  });

  it("are found again from the SPKI", () => {
    const spki = rsaSpki(concat(Uint8Array.of(0xc1), new Uint8Array(255)), Uint8Array.of(1, 0, 1));
    const [[type, modulus] = []] = publicKeyTemplate(spki);
    assert.equal(type, 0x120);
    assert.equal(modulus?.length, 256);
    assert.deepEqual(publicKeyTemplate(ecSpki(P256_PARAMETERS, point)), [
      [0x181, concat(Uint8Array.of(4, 65), point)],
    ]);
  });
});
