/**
 * TLS signature schemes in the terms of WebCrypto.
 *
 * @module
 */

import type { SignatureScheme } from "../keys.ts";

/** A curve of NIST, by its name in WebCrypto. */
export type NamedCurve = "P-256" | "P-384" | "P-521";

/** What WebCrypto calls one scheme. */
export interface SchemeParameters {
  /** The curve of an ECDSA scheme; none for RSA. */
  readonly curve?: NamedCurve;
  /** Bytes of each of the two numbers of an ECDSA signature; none for RSA. */
  readonly coordinate?: number;
  /** Algorithm to import or, with modulus length and exponent, generate the key with. */
  readonly key: RsaHashedImportParams | EcKeyImportParams;
  /** Algorithm to sign and verify with. */
  readonly signature: Algorithm | RsaPssParams | EcdsaParams;
}

/** The curve that goes with a digest of so many bits, and its coordinates' size in bytes. */
const CURVES: Readonly<Record<string, readonly [NamedCurve, number]>> = {
  256: ["P-256", 32],
  384: ["P-384", 48],
  512: ["P-521", 66],
};

/** The WebCrypto algorithms of `scheme`; the salt of PSS is as long as the digest. */
export function schemeParameters(scheme: SignatureScheme): SchemeParameters {
  const bits = scheme.slice(-3);
  const hash = `SHA-${bits}`;
  if (scheme.startsWith("ecdsa")) {
    const name = "ECDSA";
    const [curve, coordinate] = CURVES[bits]!;
    return { curve, coordinate, key: { name, namedCurve: curve }, signature: { name, hash } };
  }
  const isPss = scheme.startsWith("rsa_pss");
  const name = isPss ? "RSA-PSS" : "RSASSA-PKCS1-v1_5";
  const signature = isPss ? { name, saltLength: Number(bits) / 8 } : { name };
  return { key: { name, hash }, signature };
}
