/**
 * A public key as a provider of OpenSSL describes it.
 *
 * @module
 */

import { type Bytes, concat, hex, utf8 } from "../../src/encoding.ts";
import type { SignatureScheme } from "../../src/keys.ts";
import { match, readBitString, readDer, readPositiveInteger } from "../../src/x509/der.ts";
import * as TAG from "../../src/x509/der_tags.ts";
import { publicKeyAlgorithm } from "../../src/x509/public_key.ts";
import type { NamedCurve } from "../../src/x509/signature_scheme.ts";
import { PARAM, type Param } from "./params.ts";

/** What OpenSSL wants to know of a key. */
export interface PublicKey {
  readonly type: "RSA" | "EC";
  /** What tells it from others: the modulus or the point, hex. */
  readonly identity: string;
  /** Length of the modulus or of the curve's order. */
  readonly bits: number;
  /** Strength against the best attack, bits (NIST SP 800-57 part 1, table 2). */
  readonly securityBits: number;
  /** Longest signature, bytes. */
  readonly maxSize: number;
  /** OpenSSL's name of the curve; only with EC. */
  readonly group?: string;
}

/** Security bits from this many bits of an RSA modulus on; as OpenSSL counts. */
const RSA_STRENGTH: readonly (readonly [bits: number, securityBits: number])[] = [
  [15_360, 256],
  [8192, 200],
  [7680, 192],
  [6144, 176],
  [4096, 152],
  [3072, 128],
  [2048, 112],
  [1024, 80],
];

/** Name, bits, security bits and longest DER signature. */
const CURVES: Readonly<Record<NamedCurve, readonly [string, number, number, number]>> = {
  "P-256": ["prime256v1", 256, 128, 72],
  "P-384": ["secp384r1", 384, 192, 104],
  "P-521": ["secp521r1", 521, 256, 139],
};

/** Which scheme signs with a curve. */
const CURVE_SCHEMES: Readonly<Record<string, SignatureScheme>> = {
  prime256v1: "ecdsa_secp256r1_sha256",
  secp384r1: "ecdsa_secp384r1_sha384",
  secp521r1: "ecdsa_secp521r1_sha512",
};

/** An RSA key with this modulus (big-endian, without leading zeros). */
export function rsaPublicKey(modulus: Uint8Array): PublicKey {
  const bits = 8 * modulus.length - Math.clz32(modulus[0] ?? 0) + 24;
  const securityBits = RSA_STRENGTH.find(([least]) => bits >= least)?.[1] ?? 0;
  return { type: "RSA", identity: hex(modulus), bits, securityBits, maxSize: modulus.length };
}

/** An EC key with this point (uncompressed) on the curve of this name; none for other curves. */
export function ecPublicKey(group: string, point: Uint8Array): PublicKey | undefined {
  const curve = Object.values(CURVES).find(([name]) => name === group);
  if (curve === undefined) return undefined;
  const [, bits, securityBits, maxSize] = curve;
  return { type: "EC", identity: hex(point), bits, securityBits, maxSize, group };
}

/** The key of a DER SubjectPublicKeyInfo as parameters for `EVP_PKEY_fromdata`. */
export function publicKeyParams(spki: Bytes): { type: "RSA" | "EC"; params: Param[] } {
  const algorithm = publicKeyAlgorithm(spki);
  const [, subjectPublicKey] = match(readDer(spki).members, [TAG.SEQUENCE, TAG.BIT_STRING]);
  const key = readBitString(subjectPublicKey);
  if (algorithm.type === "ec") {
    const [group] = CURVES[algorithm.curve];
    const params: Param[] = [
      ["group", PARAM.text, utf8(group)],
      ["pub", PARAM.octets, concat(key)],
    ];
    return { type: "EC", params };
  }
  const [modulus, exponent] = match(readDer(key).members, [TAG.INTEGER, TAG.INTEGER])
    .map((integer) => concat(readPositiveInteger(integer)).reverse()) as [Bytes, Bytes];
  const params: Param[] = [
    ["n", PARAM.unsignedInteger, modulus],
    ["e", PARAM.unsignedInteger, exponent],
  ];
  return { type: "RSA", params };
}

/** The scheme of a signature that OpenSSL asks for; none where TLS has no name for it. */
export function schemeOf(
  { group }: PublicKey,
  padding: "pkcs1" | "pss" | undefined,
  digest: string,
): SignatureScheme | undefined {
  const bits = /^SHA(?:2-)?(256|384|512)$/i.exec(digest)?.[1];
  if (bits === undefined) return undefined;
  if (group !== undefined) {
    const scheme = CURVE_SCHEMES[group];
    return scheme?.endsWith(bits) ? scheme : undefined;
  }
  if (padding === undefined) return undefined;
  const name = padding === "pss" ? "rsa_pss_rsae_sha" : "rsa_pkcs1_sha";
  return `${name}${bits}` as SignatureScheme;
}
