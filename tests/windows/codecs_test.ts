/**
 * The structs and blobs of Windows, byte for byte.
 *
 * @module
 */

import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";
import {
  certContextSize,
  decodeCertContext,
  encodeTextBlob,
} from "../../backends/windows/certificate_structs.ts";
import { decodeKeyProvInfo, encodeKeyProvInfo } from "../../backends/windows/key_prov_info.ts";
import { hashSigning } from "../../backends/windows/padding.ts";
import { blobType, spkiOfBlob } from "../../backends/windows/public_key.ts";
import { fromWide, wide } from "../../backends/ffi/wide_text.ts";
import { type Bytes, concat, fromBase64url, hex } from "../../src/encoding.ts";
import { isKeyboundError } from "../../src/errors.ts";
import type { KeyContainer } from "../../src/keys.ts";

const X64 = { pointer: 8, long: 4 } as const;
const X86 = { pointer: 4, long: 4 } as const;
const BASE = 0x7ff1_2000n;
const at = () => BASE;

const words = (...values: number[]): Bytes => new Uint8Array(Uint32Array.from(values).buffer);

describe("wide text", () => {
  it("is UTF-16, little-endian, with a zero", () => {
    assert.equal(hex(wide("aß🔑")), "6100" + "df00" + "3dd8" + "11dd" + "0000");
    assert.equal(hex(wide("")), "0000");
  });

  it("comes back as it was, lone surrogates included", () => {
    for (const text of ["", "My", "schlüssel-キー-🔑", "\ud800x\udc00"]) {
      assert.equal(fromWide(wide(text)), text);
    }
  });

  it("ends at its zero, at the end of the bytes, and never in half a unit", () => {
    assert.equal(fromWide(concat(wide("ab"), wide("cd"))), "ab");
    assert.equal(fromWide(concat(wide("ab"), wide("cd")), 6), "cd");
    assert.equal(fromWide(wide("ab").subarray(0, 3)), "a");
  });
});

describe("an exported public key", () => {
  const isUnsupported = (error: unknown) => isKeyboundError(error, "unsupported_key");

  for (const modulusLength of [2048, 3072]) {
    it(`of RSA-${modulusLength} is the SPKI that the runtime makes of it`, () => {
      const { publicKey } = generateKeyPairSync("rsa", { modulusLength });
      const { n, e } = publicKey.export({ format: "jwk" });
      const [modulus, exponent] = [fromBase64url(n!), fromBase64url(e!)];
      const header = words(0x31415352, modulusLength, exponent.length, modulus.length, 0, 0);
      const spki = spkiOfBlob(concat(header, exponent, modulus));
      assert.equal(hex(spki), hex(publicKey.export({ type: "spki", format: "der" })));
      assert.equal(blobType(spki), "RSAPUBLICBLOB");
    });
  }

  const curves = [["P-256", 0x31534345, 32], ["P-384", 0x33534345, 48]] as const;
  for (const [namedCurve, magic, size] of curves) {
    it(`on ${namedCurve} is the SPKI that the runtime makes of it`, () => {
      const { publicKey } = generateKeyPairSync("ec", { namedCurve });
      const { x, y } = publicKey.export({ format: "jwk" });
      const spki = spkiOfBlob(concat(words(magic, size), fromBase64url(x!), fromBase64url(y!)));
      const own = createPublicKey(publicKey.export({ type: "spki", format: "pem" }) as string);
      assert.equal(hex(spki), hex(own.export({ type: "spki", format: "der" })));
      assert.equal(blobType(spki), "ECCPUBLICBLOB");
    });
  }

  it("is refused when it isn't whole, or not one at all", () => {
    const rsa = concat(
      words(0x31415352, 2048, 3, 256, 0, 0),
      Uint8Array.of(1, 0, 1),
      new Uint8Array(256).fill(0xc1),
    );
    assert.equal(spkiOfBlob(rsa).length, 294);
    const bad = [
      new Uint8Array(),
      rsa.slice(0, 23),
      rsa.slice(0, -1),
      concat(rsa, Uint8Array.of(0)),
      concat(words(0x32415352), rsa.slice(4)),
      concat(words(0x31415352, 2048, 0xffffffff, 256, 0, 0), new Uint8Array(259)),
      concat(words(0x31534345, 48), new Uint8Array(64)),
      concat(words(0x31534345, 32), new Uint8Array(63)),
    ];
    for (const blob of bad) assert.throws(() => spkiOfBlob(blob), isUnsupported, hex(blob));
  });
});

describe("the padding of a signature", () => {
  const sha256 = "5300480041003200350036000000";

  it("is a BCRYPT_PSS_PADDING_INFO for PSS, its salt as long as the digest", () => {
    const { digest, padding, flags } = hashSigning("rsa_pss_rsae_sha256", X64, at);
    assert.deepEqual([digest, flags], ["sha256", 0x48]);
    assert.equal(hex(padding!), "1020f17f00000000" + "20000000" + "00000000" + sha256);
    const small = hashSigning("rsa_pss_rsae_sha512", X86, at);
    assert.equal(hex(small.padding!.subarray(0, 8)), "0820f17f" + "40000000");
    assert.equal(fromWide(small.padding!, 8), "SHA512");
  });

  it("is a BCRYPT_PKCS1_PADDING_INFO for PKCS#1", () => {
    const { digest, padding, flags } = hashSigning("rsa_pkcs1_sha256", X64, at);
    assert.deepEqual([digest, flags], ["sha256", 0x42]);
    assert.equal(hex(padding!), "0820f17f00000000" + sha256);
    assert.equal(hashSigning("rsa_pkcs1_sha384", X64, at).digest, "sha384");
  });

  it("is none for ECDSA", () => {
    const signing = hashSigning("ecdsa_secp256r1_sha256", X64, at);
    assert.deepEqual(signing, { digest: "sha256", padding: null, flags: 0x40 });
  });
});

describe("a CRYPT_KEY_PROV_INFO", () => {
  const place: KeyContainer = {
    container: "k",
    provider: "PP",
    providerType: 0,
    keySpec: 0,
    machine: true,
  };
  const names = "6b000000" + "500050000000";

  it("has 48 bytes where a pointer has 8, and the names behind it", () => {
    assert.equal(
      hex(encodeKeyProvInfo({ ...place, providerType: 24, keySpec: 1 }, X64, at)),
      "3020f17f00000000" + "3420f17f00000000" + "18000000" + "20000000" + "00000000" + "00000000" +
        "0000000000000000" + "01000000" + "00000000" + names,
    );
  });

  it("has 28 bytes where a pointer has 4", () => {
    assert.equal(
      hex(encodeKeyProvInfo({ ...place, machine: false }, X86, at)),
      "1c20f17f" + "2020f17f" + "00000000" + "00000000" + "00000000" + "00000000" + "00000000" +
        names,
    );
  });

  it("comes back as it was", () => {
    const places = [place, { ...place, container: "schlüssel-🔑", machine: false, keySpec: 1 }];
    for (const platform of [X64, X86]) {
      for (const each of places) {
        const bytes = encodeKeyProvInfo(each, platform, at);
        assert.deepEqual(decodeKeyProvInfo(bytes, platform, BASE), each);
      }
    }
  });

  it("is passed over when it isn't whole, names nothing or points out of itself", () => {
    const bytes = encodeKeyProvInfo(place, X64, at);
    assert.equal(decodeKeyProvInfo(bytes.slice(0, 47), X64, BASE), undefined);
    assert.equal(decodeKeyProvInfo(new Uint8Array(64), X64, BASE), undefined);
    // Its pointers lead elsewhere when it lies elsewhere.
    for (const elsewhere of [0n, BASE - 1000n, BASE + 1000n, BASE + 48n]) {
      assert.equal(decodeKeyProvInfo(bytes, X64, elsewhere), undefined);
    }
    const nameless = encodeKeyProvInfo({ ...place, container: "" }, X64, at);
    assert.equal(decodeKeyProvInfo(nameless, X64, BASE), undefined);
  });
});

describe("the other structs", () => {
  it("say where a certificate's DER is", () => {
    assert.equal(certContextSize(X64), 40);
    assert.equal(certContextSize(X86), 20);
    const x64 = concat(words(1, 0, 0x1122, 0x33, 77, 0), new Uint8Array(16));
    assert.deepEqual(decodeCertContext(x64, X64), { address: 0x33_0000_1122n, size: 77 });
    const x86 = concat(words(1, 0x1122, 77), new Uint8Array(8));
    assert.deepEqual(decodeCertContext(x86, X86), { address: 0x1122n, size: 77 });
  });

  it("hold a text and its zero", () => {
    assert.equal(
      hex(encodeTextBlob("ab", X64, at)),
      "06000000" + "00000000" + "1020f17f00000000" + "610062000000",
    );
    assert.equal(hex(encodeTextBlob("", X86, at)), "02000000" + "0820f17f" + "0000");
  });
});
