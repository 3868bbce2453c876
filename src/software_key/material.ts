/**
 * Key pairs as WebCrypto makes and reads them.
 *
 * @module
 */

import type { Bytes } from "../encoding.ts";
import { isKeyboundError, KeyboundError } from "../errors.ts";
import type { KeyAlgorithm, SignatureScheme } from "../keys.ts";
import { publicKeyAlgorithm } from "../x509/public_key.ts";
import { schemeParameters } from "../x509/signature_scheme.ts";

/** Both halves of a key pair and what it signs. */
export interface KeyMaterial {
  /** The private key, DER PKCS#8. */
  readonly pkcs8: Bytes;
  /** The public key, DER SubjectPublicKeyInfo. */
  readonly spki: Bytes;
  /** What it can sign, best first. */
  readonly schemes: readonly SignatureScheme[];
}

const RSA_SCHEMES: readonly SignatureScheme[] = [
  "rsa_pss_rsae_sha256",
  "rsa_pss_rsae_sha384",
  "rsa_pss_rsae_sha512",
  "rsa_pkcs1_sha256",
  "rsa_pkcs1_sha384",
  "rsa_pkcs1_sha512",
];
const P256_SCHEMES: readonly SignatureScheme[] = ["ecdsa_secp256r1_sha256"];

/** Any RSA scheme imports and exports every RSA key alike; WebCrypto wants one named. */
const RSA = schemeParameters("rsa_pkcs1_sha256").key;
const P256 = schemeParameters("ecdsa_secp256r1_sha256").key;

const GENERATION: Readonly<Record<KeyAlgorithm, RsaHashedKeyGenParams | EcKeyGenParams>> = {
  "RSA-2048": rsaGeneration(2048),
  "RSA-3072": rsaGeneration(3072),
  "P-256": { name: "ECDSA", namedCurve: "P-256" },
};

/** Shortest modulus that is read from a storage, bits (NIST SP 800-57 part 1). */
const MIN_MODULUS = 2048;

function rsaGeneration(modulusLength: number): RsaHashedKeyGenParams {
  const publicExponent = Uint8Array.of(1, 0, 1);
  return { name: RSA.name, hash: "SHA-256", modulusLength, publicExponent };
}

/**
 * A new key pair.
 *
 * Rejects with `unsupported_key` for an algorithm that `crypto` doesn't know.
 */
export async function generateKeyMaterial(
  algorithm: KeyAlgorithm,
  crypto: Crypto,
): Promise<KeyMaterial> {
  if (!Object.hasOwn(GENERATION, algorithm)) throw unsupported(algorithm);
  try {
    const pair = await crypto.subtle.generateKey(GENERATION[algorithm], true, ["sign", "verify"]);
    const { privateKey, publicKey } = pair as CryptoKeyPair;
    const [pkcs8, spki] = await Promise.all([
      crypto.subtle.exportKey("pkcs8", privateKey),
      crypto.subtle.exportKey("spki", publicKey),
    ]);
    const schemes = algorithm === "P-256" ? P256_SCHEMES : RSA_SCHEMES;
    return { pkcs8: new Uint8Array(pkcs8), spki: new Uint8Array(spki), schemes };
  } catch (cause) {
    if ((cause as Error)?.name === "NotSupportedError") throw unsupported(algorithm, cause);
    throw new KeyboundError(
      "key_provider_unavailable",
      `WebCrypto could not generate a key of kind '${algorithm}'. Try again.`,
      { cause, retryable: true },
    );
  }
}

/**
 * The key pair of a private key, DER PKCS#8.
 *
 * Rejects with `key_file_invalid` for anything but RSA from 2048 bits on and P-256.
 */
export async function readKeyMaterial(pkcs8: Bytes, crypto: Crypto): Promise<KeyMaterial> {
  try {
    const rsa = await importPrivate(pkcs8, RSA, crypto);
    if (rsa !== undefined) {
      const material = { ...await halves(rsa, RSA, crypto), schemes: RSA_SCHEMES };
      const algorithm = publicKeyAlgorithm(material.spki);
      if (algorithm.type !== "rsa" || algorithm.modulusBits < MIN_MODULUS) throw invalidKey();
      return material;
    }
    const p256 = await importPrivate(pkcs8, P256, crypto);
    if (p256 === undefined) throw invalidKey();
    return { ...await halves(p256, P256, crypto), schemes: P256_SCHEMES };
  } catch (cause) {
    throw isKeyboundError(cause, "key_file_invalid") ? cause : invalidKey(cause);
  }
}

/** The key, or `undefined` where the bytes are no key of this algorithm. */
async function importPrivate(
  pkcs8: Bytes,
  algorithm: RsaHashedImportParams | EcKeyImportParams,
  crypto: Crypto,
): Promise<CryptoKey | undefined> {
  try {
    return await crypto.subtle.importKey("pkcs8", pkcs8, algorithm, true, ["sign"]);
  } catch {
    return undefined;
  }
}

/** WebCrypto has no way from a private key to its public one but JWK. */
async function halves(
  key: CryptoKey,
  algorithm: RsaHashedImportParams | EcKeyImportParams,
  crypto: Crypto,
): Promise<Omit<KeyMaterial, "schemes">> {
  const { kty, n, e, crv, x, y } = await crypto.subtle.exportKey("jwk", key);
  const jwk = kty === "RSA" ? { kty, n, e } : { kty, crv, x, y };
  const publicKey = await crypto.subtle.importKey("jwk", jwk, algorithm, true, ["verify"]);
  // Exported anew, so that the PEM of a key is in the one form that every TLS stack reads.
  const pkcs8 = new Uint8Array(await crypto.subtle.exportKey("pkcs8", key));
  const spki = new Uint8Array(await crypto.subtle.exportKey("spki", publicKey));
  return { pkcs8, spki };
}

function invalidKey(cause?: unknown): KeyboundError {
  return new KeyboundError(
    "key_file_invalid",
    `The stored key is no PKCS#8 key of RSA from ${MIN_MODULUS} bits on or P-256. Remove it, or create a new one in its place.`,
    { cause },
  );
}

function unsupported(algorithm: string, cause?: unknown): KeyboundError {
  return new KeyboundError(
    "unsupported_key",
    `Keys of kind '${algorithm}' can't be made here. Choose one of ${
      Object.keys(GENERATION).join(", ")
    }.`,
    { cause },
  );
}
