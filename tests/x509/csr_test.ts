/**
 * Certification requests: what is refused, and the exact bytes of what isn't.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Bytes, fromUtf8, hex } from "../../src/encoding.ts";
import { isKeyboundError } from "../../src/errors.ts";
import type { KeyOptions, SignatureScheme, SigningKey } from "../../src/keys.ts";
import { type CertificateRequestOptions, createCertificateRequest } from "../../src/x509/csr.ts";
import { match, readDer } from "../../src/x509/der.ts";
import * as TAG from "../../src/x509/der_tags.ts";
import { bitString, nullValue, oid, sequence } from "../../src/x509/der_writer.ts";
import { assertRejectsWith, bytes } from "./support/assert.ts";
import { P256_SPKI } from "./support/certificates.ts";
import { createSigningKey } from "./support/signing_key.ts";

const CLIENT = "6f1c2f3e-0000-4000-8000-000000000001";
const TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47";

/** A key that signs with the bytes it is given. */
function fixedKey(
  spki: Bytes,
  signature: string,
  ...schemes: readonly SignatureScheme[]
): SigningKey {
  return {
    id: "fixed",
    strength: "software",
    spki,
    schemes,
    sign: () => Promise.resolve(bytes(signature)),
  };
}

const EC_KEY = fixedKey(P256_SPKI, "3006020101020101", "ecdsa_secp256r1_sha256");
/** The smallest thing that is an RSA key: modulus 257, exponent 65537. */
const RSA_KEY = fixedKey(
  sequence(
    sequence(oid("1.2.840.113549.1.1.1"), nullValue()),
    bitString(sequence(bytes("02020101"), bytes("0203010001"))),
  ),
  "a5a5",
  "rsa_pss_rsae_sha256",
);

function request(options: Partial<CertificateRequestOptions> = {}): Promise<Bytes> {
  return createCertificateRequest({
    clientId: CLIENT,
    tenantId: TENANT,
    cuId: { vmId: "vm" },
    key: EC_KEY,
    ...options,
  });
}

describe("createCertificateRequest rejects", () => {
  const texts: readonly (readonly [what: string, text: string])[] = [
    ["empty", ""],
    ["blank", " \u3000"],
    ["of 256 characters", "a".repeat(256)],
    ["with NUL", "a\0b"],
    ["with a line feed", "a\nb"],
    ["with DEL", "a\x7f"],
    ["with a C1 control", "a\x85b"],
    ["with half a surrogate pair", "a\ud83d"],
  ];
  for (const [what, text] of texts) {
    it(`an id ${what}`, async () => {
      await assertRejectsWith(request({ clientId: text }), "invalid_argument");
      await assertRejectsWith(request({ tenantId: text }), "invalid_argument");
      await assertRejectsWith(request({ cuId: { vmId: text } }), "invalid_argument");
      await assertRejectsWith(request({ cuId: { vmssId: text } }), "invalid_argument");
    });
  }

  it("a compute unit with one good id and one that isn't plain text", async () => {
    for (const cuId of [{ vmId: "vm", vmssId: "a\0" }, { vmId: "a\0", vmssId: "vmss" }]) {
      await assertRejectsWith(request({ cuId }), "invalid_argument");
    }
  });

  it("a compute unit without any id", async () => {
    await assertRejectsWith(request({ cuId: {} }), "invalid_argument");
    await assertRejectsWith(request({ cuId: { vmId: "", vmssId: "" } }), "invalid_argument");
  });

  it("without repeating the id in its message", async () => {
    await assert.rejects(request({ clientId: "se\0cret" }), (error) => {
      return isKeyboundError(error) && !error.message.includes("cret");
    });
  });

  it("keys on other curves", async () => {
    for (const curve of ["P-384", "P-521"] as const) {
      const key = await createSigningKey(curve);
      await assertRejectsWith(request({ key }), "unsupported_scheme");
    }
  });

  it("keys that offer other schemes or none", async () => {
    const cases: readonly Partial<CertificateRequestOptions>[] = [
      { key: { ...RSA_KEY, schemes: ["rsa_pkcs1_sha256"] } },
      { key: { ...EC_KEY, schemes: [] } },
    ];
    for (const options of cases) await assertRejectsWith(request(options), "unsupported_scheme");
  });

  it("with what the key rejects with", async () => {
    const failure = new Error("gone");
    await assert.rejects(
      request({ key: { ...EC_KEY, sign: () => Promise.reject(failure) } }),
      failure,
    );
  });

  it("with the signal's reason", async () => {
    const key = await createSigningKey("P-256");
    const reason = new Error("enough");
    await assert.rejects(request({ key, signal: AbortSignal.abort(reason) }), reason);
  });
});

describe("createCertificateRequest hands the key", () => {
  it("the scheme, the signal and the CertificationRequestInfo", async () => {
    const signal = new AbortController().signal;
    const calls: [SignatureScheme, Bytes, KeyOptions | undefined][] = [];
    const key: SigningKey = {
      ...RSA_KEY,
      sign(...call) {
        calls.push([call[0], call[1], call[2]]);
        return Promise.resolve(bytes("a5"));
      },
    };
    const der = await request({ key, signal });
    assert.equal(calls.length, 1);
    const [scheme, info, options] = calls[0]!;
    assert.equal(scheme, "rsa_pss_rsae_sha256");
    assert.equal(hex(info), hex(readDer(der).members[0]!.encoding));
    assert.equal(options?.signal, signal);
  });
});

describe("createCertificateRequest gives, byte for byte,", () => {
  it("a request of a P-256 key", async () => {
    const der = await request({ clientId: "c", tenantId: "t", cuId: { vmId: "fake_vmId" } });
    const expected = bytes(`
      3081c1
        3081a7
          020100
          301f
            3111 300f 060a 0992268993f22c640119 1301 74
            310a 3008 0603 550403 1301 63
          ${hex(P256_SPKI)}
          a026 3024
            060a 2b0601040182375a020a
            3116 0c14 7b22766d4964223a2266616b655f766d4964227d
        300a 0608 2a8648ce3d040302
        0309 00 3006020101020101`);
    assert.equal(hex(der), hex(expected));
  });

  it("a request of an RSA key, with a CN that is no PrintableString", async () => {
    const cuId = { vmssId: "w", vmId: "v" };
    const der = await request({ clientId: "_", tenantId: "t", cuId, key: RSA_KEY });
    const expected = bytes(`
      3081b6
        3070
          020100
          301f
            3111 300f 060a 0992268993f22c640119 1301 74
            310a 3008 0603 550403 0c01 5f
          301d
            300d 0609 2a864886f70d010101 0500
            030c 00 3009 0202 0101 0203 010001
          a02b 3029
            060a 2b0601040182375a020a
            311b 0c19 7b22766d4964223a2276222c22766d73734964223a2277227d
        303d 0609 2a864886f70d01010a 3030
          a00d 300b 0609 608648016503040201
          a11a 3018 0609 2a864886f70d010108 300b 0609 608648016503040201
          a203 0201 20
        0303 00 a5a5`);
    assert.equal(hex(der), hex(expected));
  });

  const ids: readonly (readonly [what: string, cuId: Record<string, string>, json: string])[] = [
    ["both ids, vmId first", { vmssId: "b", vmId: "a" }, '{"vmId":"a","vmssId":"b"}'],
    ["the scale set alone", { vmssId: "b" }, '{"vmssId":"b"}'],
    [
      "an empty id beside another as it came",
      { vmId: "a", vmssId: "" },
      '{"vmId":"a","vmssId":""}',
    ],
    ["no other member", { vmId: "a", other: "b" }, '{"vmId":"a"}'],
    ["quotes escaped", { vmId: 'a"b\\' }, '{"vmId":"a\\"b\\\\"}'],
    ["letters beyond ASCII as they are", { vmId: "é🔑" }, '{"vmId":"é🔑"}'],
    ["255 characters", { vmId: "a".repeat(255) }, `{"vmId":"${"a".repeat(255)}"}`],
  ];
  for (const [what, cuId, json] of ids) {
    it(`the compute unit with ${what}`, async () => {
      const [info] = readDer(await request({ cuId })).members;
      const [attribute] = match(info!.members[3]!.members, [TAG.SEQUENCE]);
      const [, values] = match(attribute.members, [TAG.OBJECT_IDENTIFIER, TAG.SET]);
      const [value] = match(values.members, [TAG.UTF8_STRING]);
      assert.equal(fromUtf8(value.content), json);
    });
  }
});
