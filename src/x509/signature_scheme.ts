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

/** The WebCrypto algorithms of `scheme`; the salt of PSS is as long as the digest. */
export function schemeParameters(scheme: SignatureScheme): SchemeParameters {
  return PARAMETERS[scheme];
}

const PARAMETERS: Readonly<Record<SignatureScheme, SchemeParameters>> = {
  rsa_pss_rsae_sha256: pss(256),
  rsa_pss_rsae_sha384: pss(384),
  rsa_pss_rsae_sha512: pss(512),
  rsa_pkcs1_sha256: pkcs1(256),
  rsa_pkcs1_sha384: pkcs1(384),
  rsa_pkcs1_sha512: pkcs1(512),
  ecdsa_secp256r1_sha256: ecdsa("P-256", 256, 32),
  ecdsa_secp384r1_sha384: ecdsa("P-384", 384, 48),
  ecdsa_secp521r1_sha512: ecdsa("P-521", 512, 66),
};

function pss(bits: number): SchemeParameters {
  const name = "RSA-PSS";
  return { key: { name, hash: `SHA-${bits}` }, signature: { name, saltLength: bits / 8 } };
}

function pkcs1(bits: number): SchemeParameters {
  const name = "RSASSA-PKCS1-v1_5";
  return { key: { name, hash: `SHA-${bits}` }, signature: { name } };
}

function ecdsa(curve: NamedCurve, bits: number, coordinate: number): SchemeParameters {
  const name = "ECDSA";
  const key = { name, namedCurve: curve };
  return { curve, coordinate, key, signature: { name, hash: `SHA-${bits}` } };
}
