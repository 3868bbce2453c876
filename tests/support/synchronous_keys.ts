/**
 * Keys that sign without a promise and show nobody their private half: what an HSM's module gives,
 * made of the runtime's own cryptography.
 *
 * @module
 */

import {
  constants,
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign as signWith,
  type SignKeyObjectInput,
} from "node:crypto";
import { type Bytes, concat } from "../../src/encoding.ts";
import type { KeyAlgorithm, SignatureScheme, SigningKey, SyncSigner } from "../../src/keys.ts";

/** A key that counts its signatures. */
export interface SynchronousKey extends SigningKey, SyncSigner {
  /** The schemes of the signatures made so far. */
  readonly signed: SignatureScheme[];
}

/** A new key; `schemes` in place of all it can sign. */
export function synchronousKey(
  algorithm: KeyAlgorithm | "P-384" | "P-521",
  schemes: readonly SignatureScheme[] = SCHEMES[algorithm],
): SynchronousKey {
  const { privateKey } = algorithm.startsWith("RSA")
    ? generateKeyPairSync("rsa", { modulusLength: Number(algorithm.slice(4)) })
    : generateKeyPairSync("ec", { namedCurve: algorithm });
  return synchronousKeyOf(privateKey, schemes);
}

/** A key over this private key. */
export function synchronousKeyOf(
  privateKey: KeyObject,
  schemes: readonly SignatureScheme[],
): SynchronousKey {
  const spki = concat(createPublicKey(privateKey).export({ type: "spki", format: "der" }));
  const signed: SignatureScheme[] = [];
  const signSync = (scheme: SignatureScheme, data: Bytes): Bytes => {
    signed.push(scheme);
    return concat(signWith(`sha${scheme.slice(-3)}`, data, signingInput(privateKey, scheme)));
  };
  return {
    id: `synchronous-${createHash("sha256").update(spki).digest("hex").slice(0, 8)}`,
    strength: "hardware",
    spki,
    schemes,
    signed,
    signSync,
    // deno-lint-ignore require-await
    sign: async (scheme, data) => signSync(scheme, data),
  };
}

const RSA: readonly SignatureScheme[] = [
  "rsa_pss_rsae_sha256",
  "rsa_pss_rsae_sha384",
  "rsa_pss_rsae_sha512",
  "rsa_pkcs1_sha256",
  "rsa_pkcs1_sha384",
  "rsa_pkcs1_sha512",
];

const SCHEMES: Readonly<Record<KeyAlgorithm | "P-384" | "P-521", readonly SignatureScheme[]>> = {
  "RSA-2048": RSA,
  "RSA-3072": RSA,
  "P-256": ["ecdsa_secp256r1_sha256"],
  "P-384": ["ecdsa_secp384r1_sha384"],
  "P-521": ["ecdsa_secp521r1_sha512"],
};

function signingInput(key: KeyObject, scheme: SignatureScheme): SignKeyObjectInput {
  return scheme.startsWith("rsa_pss")
    ? {
      key,
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
    }
    : { key };
}
