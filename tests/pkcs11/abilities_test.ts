/**
 * What a key can sign is tried, not asked: tokens of several kinds, in miniature.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { findAbilities } from "../../backends/pkcs11/abilities.ts";
import { CKM, CKR } from "../../backends/pkcs11/constants.ts";
import type { Cryptoki } from "../../backends/pkcs11/cryptoki.ts";
import type { Operation } from "../../backends/ffi/operation.ts";
import { encodePss } from "../../backends/pkcs11/padding.ts";
import { ReturnCodeError } from "../../backends/pkcs11/return_codes.ts";
import type { Mechanism } from "../../backends/pkcs11/structs.ts";
import type { TokenSession } from "../../backends/pkcs11/token.ts";
import { type Bytes, utf8 } from "../../src/encoding.ts";
import type { SignatureScheme } from "../../src/keys.ts";
import { verifySignature } from "../../src/x509/verify.ts";
import { padPkcs1, type RawRsa, rawRsa } from "./support/raw_rsa.ts";

const ALL: readonly SignatureScheme[] = [
  "rsa_pss_rsae_sha256",
  "rsa_pss_rsae_sha384",
  "rsa_pss_rsae_sha512",
  "rsa_pkcs1_sha256",
  "rsa_pkcs1_sha384",
  "rsa_pkcs1_sha512",
];
const PKCS1 = ALL.slice(3);

type Sign = (mechanism: Mechanism, input: Bytes) => Bytes | Promise<Bytes>;

const rsa: RawRsa = await rawRsa(2048);
const pkcs1 = (input: Bytes) => rsa.raw(padPkcs1(input, 256));

/** A token of a few mechanisms; all others fail with this code. */
function tokenOf(
  mechanisms: Readonly<Record<number, (input: Bytes) => Bytes | Promise<Bytes>>>,
  otherwise: number = CKR.MECHANISM_INVALID,
): TokenSession {
  const sign: Sign = ({ type }, input) => {
    const known = mechanisms[type];
    if (known === undefined) throw new ReturnCodeError("C_SignInit", otherwise);
    return known(input);
  };
  const cryptoki = {
    sign: async (_session: bigint, mechanism: Mechanism, _key: bigint, input: Bytes) =>
      await sign(mechanism, input),
  };
  return {
    cryptoki: cryptoki as unknown as Cryptoki,
    session: 1n,
    info: { label: "", manufacturer: "", model: "", serial: "", flags: 0, sessions: undefined },
    version: "1",
    touch: () => {},
    run: async <T>(operation: Operation<T>) => await (operation as unknown as Promise<T>),
  };
}

/** The schemes found; each is tried once more, by the way that was found. */
async function schemesOf(session: TokenSession, spki: Bytes): Promise<SignatureScheme[]> {
  const { abilities } = await findAbilities(session, 2n, spki);
  const data = utf8("to be signed");
  for (const [scheme, { mechanism, input, output }] of abilities) {
    const raw = await session.run(session.cryptoki.sign(1n, mechanism, 2n, input(data)));
    assert.ok(await verifySignature(scheme, spki, data, output(raw)), scheme);
  }
  return [...abilities.keys()];
}

describe("the abilities of a key", () => {
  it("are unknown where the token can't be asked", async () => {
    const isTrouble = (error: unknown) =>
      error instanceof ReturnCodeError && error.returnCode === CKR.DEVICE_ERROR;
    await assert.rejects(findAbilities(tokenOf({}, CKR.DEVICE_ERROR), 2n, rsa.spki), isTrouble);
  });

  it("aren't guessed where the session or the login is lost in the midst", async () => {
    for (const code of [CKR.SESSION_HANDLE_INVALID, CKR.USER_NOT_LOGGED_IN]) {
      const token = tokenOf({ [CKM.RSA_PKCS]: pkcs1 }, code);
      await assert.rejects(findAbilities(token, 2n, rsa.spki), ReturnCodeError);
    }
  });

  it("are none where the private key is another's", async () => {
    const { raw } = await rawRsa(2048);
    assert.deepEqual(await schemesOf(tokenOf({ [CKM.RSA_X_509]: raw }), rsa.spki), []);
    assert.deepEqual(await schemesOf(tokenOf({}), rsa.spki), []);
  });

  it("lack PSS where the token's salt isn't as long as the digest", async () => {
    const longest = new Uint8Array(256 - 2 - 32).fill(7);
    const token = tokenOf({
      [CKM.RSA_PKCS]: pkcs1,
      [CKM.SHA256_RSA_PKCS_PSS]: (input) => rsa.raw(encodePss(256, input, 2048, longest)),
    });
    assert.deepEqual(await schemesOf(token, rsa.spki), PKCS1);
  });

  it("have PSS in spite of such a salt where a raw operation is to be had", async () => {
    const longest = new Uint8Array(256 - 2 - 32).fill(7);
    const token = tokenOf({
      [CKM.RSA_PKCS]: pkcs1,
      [CKM.SHA256_RSA_PKCS_PSS]: (input) => rsa.raw(encodePss(256, input, 2048, longest)),
      [CKM.RSA_X_509]: rsa.raw,
    });
    assert.deepEqual(await schemesOf(token, rsa.spki), ALL);
  });

  it("have each digest of PSS that the token's chip knows, and no other", async () => {
    const token = tokenOf({
      [CKM.RSA_PKCS]: pkcs1,
      [CKM.SHA256_RSA_PKCS_PSS]: (input) =>
        rsa.raw(encodePss(256, input, 2048, new Uint8Array(32))),
    }, CKR.GENERAL_ERROR);
    assert.deepEqual(await schemesOf(token, rsa.spki), ["rsa_pss_rsae_sha256", ...PKCS1]);
    // A general error may pass: what it made us believe isn't kept.
    assert.equal((await findAbilities(token, 2n, rsa.spki)).isFinal, false);
  });

  it("are final where nothing went wrong but what the token said it can't", async () => {
    const token = tokenOf({ [CKM.RSA_PKCS]: pkcs1 });
    assert.equal((await findAbilities(token, 2n, rsa.spki)).isFinal, true);
  });

  it("are found with mechanisms that hash by themselves", async () => {
    const { privateKey, publicKey } = await crypto.subtle.generateKey(
      { name: "ECDSA", namedCurve: "P-256" },
      true,
      ["sign", "verify"],
    );
    const spki = new Uint8Array(await crypto.subtle.exportKey("spki", publicKey));
    const ecdsa = { name: "ECDSA", hash: "SHA-256" };
    const token = tokenOf({
      [CKM.ECDSA_SHA256]: async (input) =>
        new Uint8Array(await crypto.subtle.sign(ecdsa, privateKey, input)),
    });
    assert.deepEqual(await schemesOf(token, spki), ["ecdsa_secp256r1_sha256"]);
  });
});
