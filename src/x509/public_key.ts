/**
 * What a SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7) holds.
 *
 * @module
 */

import type { Bytes } from "../encoding.ts";
import { KeyboundError } from "../errors.ts";
import * as TAG from "./der_tags.ts";
import {
  type DerElement,
  invalidDer,
  match,
  readBitString,
  readDer,
  readOid,
  readPositiveInteger,
} from "./der.ts";
import type { NamedCurve } from "./signature_scheme.ts";

/** An RSA key or a key on one of the curves that TLS and WebCrypto share. */
export type PublicKeyAlgorithm =
  | {
    readonly type: "rsa";
    /** Length of the modulus, bits. */
    readonly modulusBits: number;
    /** The public exponent. */
    readonly exponent: number;
  }
  | {
    readonly type: "ec";
    /** The curve, by its name in WebCrypto. */
    readonly curve: NamedCurve;
  };

const RSA_ENCRYPTION = "1.2.840.113549.1.1.1";
const EC_PUBLIC_KEY = "1.2.840.10045.2.1";

const CURVES: Readonly<Record<string, NamedCurve>> = {
  "1.2.840.10045.3.1.7": "P-256",
  "1.3.132.0.34": "P-384",
  "1.3.132.0.35": "P-521",
};

/** First byte of a point given by both coordinates (SEC 1 section 2.3.3). */
const UNCOMPRESSED = 4;

/** Bytes of a coordinate. */
const COORDINATE_SIZES: Readonly<Record<NamedCurve, number>> = {
  "P-256": 32,
  "P-384": 48,
  "P-521": 66,
};

/**
 * The kind of key in a DER SubjectPublicKeyInfo: rsaEncryption (RFC 8017 appendix A.1) or a named
 * curve with an uncompressed point (RFC 5480).
 *
 * Throws `unsupported_key` for any other key and for an RSA exponent that is even, 1 or longer than
 * 32 bits, `invalid_der` for bytes that aren't a key. Whether a point is on its curve is left to
 * whoever uses it.
 */
export function publicKeyAlgorithm(spki: Bytes): PublicKeyAlgorithm {
  const [algorithm, subjectPublicKey] = match(readDer(spki).members, [
    TAG.SEQUENCE,
    TAG.BIT_STRING,
  ]);
  const [type] = match(algorithm.members.slice(0, 1), [TAG.OBJECT_IDENTIFIER]);
  const key = readBitString(subjectPublicKey);
  switch (readOid(type)) {
    case RSA_ENCRYPTION:
      match(algorithm.members, [TAG.OBJECT_IDENTIFIER, TAG.NULL]);
      return rsaKey(key);
    case EC_PUBLIC_KEY:
      return ecKey(match(algorithm.members, [TAG.OBJECT_IDENTIFIER, undefined])[1], key);
    default:
      throw unsupportedKey();
  }
}

function rsaKey(key: Bytes): PublicKeyAlgorithm {
  const [modulus, exponent] = match(readDer(key).members, [TAG.INTEGER, TAG.INTEGER])
    .map(readPositiveInteger) as [Bytes, Bytes];
  const value = exponent.reduce((sum, octet) => sum * 256 + octet, 0);
  if (exponent.length > 4 || value < 3 || value % 2 === 0) throw unsupportedKey();
  const modulusBits = 8 * modulus.length - Math.clz32(modulus[0]!) + 24;
  return { type: "rsa", modulusBits, exponent: value };
}

function ecKey(parameters: DerElement, point: Bytes): PublicKeyAlgorithm {
  const curve = parameters.tag === TAG.OBJECT_IDENTIFIER ? CURVES[readOid(parameters)] : undefined;
  if (curve === undefined || point[0] !== UNCOMPRESSED) throw unsupportedKey();
  if (point.length !== 1 + 2 * COORDINATE_SIZES[curve]) {
    throw invalidDer("a point of another curve");
  }
  return { type: "ec", curve };
}

function unsupportedKey(): KeyboundError {
  return new KeyboundError(
    "unsupported_key",
    "The key can't be used here. Use an RSA key with a common exponent, or one on P-256, P-384 or P-521.",
  );
}
