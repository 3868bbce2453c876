/**
 * Certification requests as openssl and `@peculiar/x509` read and verify them.
 *
 * @module
 */

import "reflect-metadata";
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { Pkcs10CertificateRequest } from "@peculiar/x509";
import fc from "fast-check";
import { type Bytes, fromUtf8, hex } from "../../src/encoding.ts";
import { isKeyboundError } from "../../src/errors.ts";
import type { SigningKey } from "../../src/keys.ts";
import { type CertificateRequestOptions, createCertificateRequest } from "../../src/x509/csr.ts";
import { match, readDer } from "../../src/x509/der.ts";
import * as TAG from "../../src/x509/der_tags.ts";
import { verifySignature } from "../../src/x509/verify.ts";
import { damagedBytes, damagedTree } from "./support/mutation.ts";
import { hasOpenssl, opensslText } from "./support/openssl.ts";
import { peculiarName } from "./support/peculiar.ts";
import { createSigningKey } from "./support/signing_key.ts";

const CLIENT = "6f1c2f3e-0000-4000-8000-000000000001";
const TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47";
const CU_ID = "1.3.6.1.4.1.311.90.2.10";

function request(
  options: Pick<CertificateRequestOptions, "key"> & Partial<CertificateRequestOptions>,
): Promise<Bytes> {
  return createCertificateRequest({
    clientId: CLIENT,
    tenantId: TENANT,
    cuId: { vmId: "vm" },
    ...options,
  });
}

describe("a request by a key that signs", () => {
  const keys = new Map<string, SigningKey>();
  before(async () => {
    for (const kind of ["RSA-2048", "P-256"] as const) keys.set(kind, await createSigningKey(kind));
  });

  for (const kind of ["RSA-2048", "P-256"] as const) {
    it(`on ${kind} is verified by its own public key`, async () => {
      const key = keys.get(kind)!;
      const [info, , signature] = readDer(await request({ key })).members;
      const scheme = kind === "P-256" ? "ecdsa_secp256r1_sha256" : "rsa_pss_rsae_sha256";
      const octets = signature!.content.slice(1);
      assert.equal(await verifySignature(scheme, key.spki, info!.encoding, octets), true);
    });

    (hasOpenssl ? it : it.skip)(`on ${kind} is verified and read by openssl`, async () => {
      const der = await request({ key: keys.get(kind)! });
      const text = opensslText(["req", "-inform", "DER", "-verify", "-noout", "-text"], der);
      assert.match(text, /self-signature verify OK/);
      assert.match(text, /Version: 1 \(0x0\)/);
      assert.match(text, new RegExp(`Subject: DC ?= ?${TENANT}, CN ?= ?${CLIENT}\n`));
      assert.ok(text.includes(`${CU_ID}`) && text.includes('{"vmId":"vm"}'), text);
      if (kind === "RSA-2048") {
        assert.match(text, /Signature Algorithm: rsassaPss/);
        assert.match(text, /Hash Algorithm: sha256\s+Mask Algorithm: mgf1 with sha256/);
        assert.match(text, /Salt Length: 0x20\s+Trailer Field: 0x01 \(default\)/);
      } else {
        assert.match(text, /Signature Algorithm: ecdsa-with-SHA256/);
      }
    });

    (hasOpenssl ? it : it.skip)(`on ${kind} is not verified once changed`, async () => {
      const der = await request({ key: keys.get(kind)! });
      const info = readDer(der).members[0]!;
      // The last letter of the compute unit's id, before the quote and the brace.
      der[info.encoding.byteOffset + info.encoding.length - 3]! ^= 1;
      // Depending on its version openssl fails or only says so.
      const said = await Promise.resolve()
        .then(() => opensslText(["req", "-inform", "DER", "-verify", "-noout"], der))
        .catch(String);
      assert.match(said, /self-signature verify failure/);
    });

    it(`on ${kind} is verified and read by @peculiar/x509, whatever the ids`, async () => {
      const key = keys.get(kind)!;
      const text = fc.string({ unit: "binary", minLength: 1, maxLength: 40 })
        .filter((id) => id.trim() !== "" && !/[\p{Cc}\p{Cs}]/u.test(id));
      const cuIds = fc.record({ vmId: text, vmssId: text }, { requiredKeys: ["vmId"] });
      await fc.assert(
        fc.asyncProperty(text, text, cuIds, async (clientId, tenantId, cuId) => {
          const der = await request({ key, clientId, tenantId, cuId });
          const its = new Pkcs10CertificateRequest(der);
          assert.equal(await its.verify(), true);
          assert.deepEqual(peculiarName(its.subjectName), [
            { "0.9.2342.19200300.100.1.25": [tenantId] },
            { "2.5.4.3": [clientId] },
          ]);
          assert.equal(hex(new Uint8Array(its.publicKey.rawData)), hex(key.spki));
          assert.deepEqual(Array.from(its.attributes, ({ type }) => type), [CU_ID]);
          const [value] = its.attributes[0]!.values;
          const { content } = readDer(new Uint8Array(value!), TAG.UTF8_STRING);
          assert.deepEqual(JSON.parse(fromUtf8(content)), { ...cuId });
        }),
        { numRuns: kind === "P-256" ? 15 : 4 },
      );
    });
  }

  it("is not read as DER or not verified once what it says is damaged", async () => {
    const key = keys.get("P-256")!;
    const der = await request({ key });
    const damaged = fc.oneof(damagedBytes([der]), damagedTree([der]));
    await fc.assert(
      fc.asyncProperty(damaged.filter((d) => hex(d) !== hex(der)), async (changed) => {
        let parts;
        try {
          parts = match(readDer(changed).members, [TAG.SEQUENCE, TAG.SEQUENCE, TAG.BIT_STRING]);
        } catch (error) {
          assert.ok(isKeyboundError(error, "invalid_der"));
          return;
        }
        const [info, , signature] = parts;
        const octets = signature.content.slice(1);
        if (await verifySignature("ecdsa_secp256r1_sha256", key.spki, info.encoding, octets)) {
          assert.equal(hex(info.encoding), hex(readDer(der).members[0]!.encoding));
        }
      }),
      { numRuns: 150 },
    );
  });
});
