/**
 * SubjectPublicKeyInfo from the attributes that a token gives.
 *
 * @module
 */

import type { Bytes } from "../../src/encoding.ts";
import { KeyboundError } from "../../src/errors.ts";
import type { KeyAlgorithm } from "../../src/keys.ts";
import * as TAG from "../../src/x509/der_tags.ts";
import { match, readBitString, readDer, readPositiveInteger } from "../../src/x509/der.ts";
import { bitString, encodeDer, integer, nullValue } from "../../src/x509/der_writer.ts";
import { oid, sequence } from "../../src/x509/der_writer.ts";
import { publicKeyAlgorithm } from "../../src/x509/public_key.ts";
import { CKA } from "./constants.ts";
import type { Attribute } from "./structs.ts";

const RSA_ENCRYPTION = oid("1.2.840.113549.1.1.1");
const EC_PUBLIC_KEY = oid("1.2.840.10045.2.1");

/** First octet of a point by both coordinates, and of a DER OCTET STRING. */
const UNCOMPRESSED = 4;

/** The named curve P-256 as `CKA_EC_PARAMS` wants it: its OBJECT IDENTIFIER in DER. */
export const P256_PARAMETERS: Bytes = oid("1.2.840.10045.3.1.7");

/** The SPKI of an RSA key: modulus and exponent big-endian. */
export function rsaSpki(modulus: Bytes, exponent: Bytes): Bytes {
  const key = sequence(integer(modulus), integer(exponent));
  return sequence(sequence(RSA_ENCRYPTION, nullValue()), bitString(key));
}

/**
 * The SPKI of a key on a named curve. `CKA_EC_POINT` is a DER OCTET STRING with the point in it
 * (PKCS#11 2.40 section 2.3.3), from some tokens the bare point.
 *
 * Throws `unsupported_key` for a curve that isn't used here, `invalid_der` for no point.
 */
export function ecSpki(parameters: Bytes, point: Bytes): Bytes {
  // Both forms begin with the same octet; a bare point of any curve has an odd length, 2 n + 1,
  // whose second octet would have to be its own length less 2 to be taken for the other.
  const isWrapped = point[0] === TAG.OCTET_STRING && (point[1] === point.length - 2 ||
    (point[1] === 0x81 && point[2] === point.length - 3));
  const bare = isWrapped ? readDer(point, TAG.OCTET_STRING).content : point;
  if (bare[0] !== UNCOMPRESSED) {
    throw new KeyboundError("unsupported_key", "The token gives its key's point compressed.");
  }
  const spki = sequence(sequence(EC_PUBLIC_KEY, parameters), bitString(bare));
  publicKeyAlgorithm(spki);
  return spki;
}

/** What tells the public key object of this SPKI from others; the class is to be added. */
export function publicKeyTemplate(spki: Bytes): Attribute[] {
  const { type } = publicKeyAlgorithm(spki);
  const [, subjectPublicKey] = match(readDer(spki).members, [TAG.SEQUENCE, TAG.BIT_STRING]);
  const key = readBitString(subjectPublicKey);
  if (type === "ec") return [[CKA.EC_POINT, encodeDer(TAG.OCTET_STRING, key)]];
  const [modulus] = match(readDer(key).members, [TAG.INTEGER, TAG.INTEGER]);
  return [[CKA.MODULUS, readPositiveInteger(modulus)]];
}

/** The kind of key in an SPKI as keys are asked for; `RSA-4096`, `P-384` and so on for others. */
export function algorithmName(spki: Bytes): KeyAlgorithm | string {
  const algorithm = publicKeyAlgorithm(spki);
  return algorithm.type === "rsa" ? `RSA-${algorithm.modulusBits}` : algorithm.curve;
}
