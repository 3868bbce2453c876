/**
 * Public keys as CNG exports them: `BCRYPT_RSAKEY_BLOB` and `BCRYPT_ECCKEY_BLOB` of `bcrypt.h`.
 *
 * @module
 */

import { type Bytes, concat } from "../../src/encoding.ts";
import { isKeyboundError, KeyboundError } from "../../src/errors.ts";
import { bitString, integer, nullValue, oid, sequence } from "../../src/x509/der_writer.ts";
import { publicKeyAlgorithm } from "../../src/x509/public_key.ts";
import { BLOB } from "./constants.ts";

/** `RSA1`. */
const RSA_PUBLIC = 0x31415352;

const RSA_HEADER = 24;
const ECC_HEADER = 8;

/** Coordinate size and curve by magic number: `ECS1`, `ECS3`, `ECS5`. */
const CURVES: Readonly<Record<number, readonly [size: number, curve: string]>> = {
  0x31534345: [32, "1.2.840.10045.3.1.7"],
  0x33534345: [48, "1.3.132.0.34"],
  0x35534345: [66, "1.3.132.0.35"],
};

const RSA_ENCRYPTION = "1.2.840.113549.1.1.1";
const EC_PUBLIC_KEY = "1.2.840.10045.2.1";

/**
 * The DER SubjectPublicKeyInfo of an exported public key.
 *
 * Throws `unsupported_key` for bytes that aren't such a blob, whole, and for keys that aren't used
 * here.
 */
export function spkiOfBlob(blob: Bytes): Bytes {
  const spki = parseRsa(blob) ?? parseEcc(blob);
  if (spki !== undefined && isKey(spki)) return spki;
  throw new KeyboundError(
    "unsupported_key",
    "The key storage provider gave a public key that can't be read. Use an RSA or NIST curve key.",
  );
}

/** Whether the numbers of a blob make a key; throws `unsupported_key` for one not used here. */
function isKey(spki: Bytes): boolean {
  try {
    publicKeyAlgorithm(spki);
    return true;
  } catch (error) {
    if (isKeyboundError(error, "invalid_der")) return false;
    throw error;
  }
}

/** The format that a public key of this SPKI is exported in. */
export function blobType(spki: Bytes): string {
  return publicKeyAlgorithm(spki).type === "rsa" ? BLOB.RSA : BLOB.ECC;
}

/** Magic, bit length, sizes of exponent, modulus and two primes; exponent and modulus big-endian. */
function parseRsa(blob: Bytes): Bytes | undefined {
  if (blob.length < RSA_HEADER || word(blob, 0) !== RSA_PUBLIC) return undefined;
  const [exponentSize, modulusSize] = [word(blob, 8), word(blob, 12)];
  const end = RSA_HEADER + exponentSize + modulusSize;
  if (exponentSize === 0 || modulusSize === 0 || end !== blob.length) return undefined;
  const exponent = blob.subarray(RSA_HEADER, RSA_HEADER + exponentSize);
  const modulus = blob.subarray(RSA_HEADER + exponentSize);
  const key = sequence(integer(modulus), integer(exponent));
  return sequence(sequence(oid(RSA_ENCRYPTION), nullValue()), bitString(key));
}

/** Magic, coordinate size; X and Y big-endian. */
function parseEcc(blob: Bytes): Bytes | undefined {
  if (blob.length < ECC_HEADER) return undefined;
  const [size, curve] = CURVES[word(blob, 0)] ?? [0, ""];
  if (size === 0 || word(blob, 4) !== size || blob.length !== ECC_HEADER + 2 * size) {
    return undefined;
  }
  const point = concat(Uint8Array.of(4), blob.subarray(ECC_HEADER));
  return sequence(sequence(oid(EC_PUBLIC_KEY), oid(curve)), bitString(point));
}

function word(bytes: Uint8Array, offset: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(offset, true);
}
