/**
 * Verification of a signature by WebCrypto.
 *
 * @module
 */

import type { Bytes } from "../encoding.ts";
import { KeyboundError } from "../errors.ts";
import type { SignatureScheme } from "../keys.ts";
import { ecdsaSignatureFromDer } from "./ecdsa.ts";
import { schemeParameters } from "./signature_scheme.ts";

/**
 * Whether `signature`, in the form TLS carries it (DER `Ecdsa-Sig-Value` for ECDSA), is that of
 * `data` under this public key, a DER SubjectPublicKeyInfo. PSS demands a salt as long as the
 * digest. A signature of bad form is `false`.
 *
 * Rejects with `unsupported_key` for a key that `crypto` doesn't take, or not for this scheme.
 */
export async function verifySignature(
  scheme: SignatureScheme,
  spki: Bytes,
  data: Bytes,
  signature: Bytes,
  crypto: Crypto = globalThis.crypto,
): Promise<boolean> {
  const { key: imported, signature: algorithm, coordinate } = schemeParameters(scheme);
  const raw = coordinate === undefined ? signature : p1363(signature, coordinate);
  try {
    const key = await crypto.subtle.importKey("spki", spki, imported, false, ["verify"]);
    return raw !== undefined && await crypto.subtle.verify(algorithm, key, raw, data);
  } catch (cause) {
    // Deno looks at the point of a key no sooner than here, in `verify`.
    throw new KeyboundError("unsupported_key", `The key can't verify '${scheme}'.`, { cause });
  }
}

/** `undefined` for a signature of bad form: nothing else makes the reader throw. */
function p1363(signature: Bytes, coordinate: number): Bytes | undefined {
  try {
    return ecdsaSignatureFromDer(signature, coordinate);
  } catch {
    return undefined;
  }
}
