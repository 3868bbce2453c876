/**
 * What an RSA key signs: digests in the encodings of RFC 8017 section 9.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { type Bytes, concat } from "../../src/encoding.ts";

/** A digest of the SHA-2 family, by its length in bits. */
export type DigestBits = 256 | 384 | 512;

/** DER of `DigestInfo` up to the digest (RFC 8017 section 9.2, note 1): its last octets. */
const ALGORITHM_NUMBERS: Readonly<Record<DigestBits, number>> = { 256: 1, 384: 2, 512: 3 };

/** The digest of `data`. */
export function digest(bits: DigestBits, data: Uint8Array): Bytes {
  return new Uint8Array(createHash(`sha${bits}`).update(data).digest());
}

/** The DER `DigestInfo` that PKCS#1 v1.5 pads and signs. */
export function digestInfo(bits: DigestBits, data: Uint8Array): Bytes {
  const size = bits / 8;
  const algorithm = [0x06, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, ALGORITHM_NUMBERS[bits]];
  const head = [0x30, size + 17, 0x30, 13, ...algorithm, 0x05, 0, 0x04, size];
  return concat(Uint8Array.from(head), digest(bits, data));
}

/**
 * EMSA-PSS (RFC 8017 section 9.1.1) for a modulus of `modulusBits` bits, as a number of the
 * modulus's length: what a raw RSA operation signs. `salt` is as long as the digest.
 */
export function encodePss(
  bits: DigestBits,
  data: Uint8Array,
  modulusBits: number,
  salt: Uint8Array,
): Bytes {
  const encodedBits = modulusBits - 1;
  const length = Math.ceil(encodedBits / 8);
  const size = bits / 8;
  const hash = digest(bits, concat(new Uint8Array(8), digest(bits, data), salt));
  const masked = new Uint8Array(length - size - 1);
  masked[masked.length - salt.length - 1] = 1;
  masked.set(salt, masked.length - salt.length);
  const mask = mgf1(bits, hash, masked.length);
  for (const [i, octet] of mask.entries()) masked[i]! ^= octet;
  masked[0]! &= 0xff >> (8 * length - encodedBits);
  const encoded = concat(masked, hash, Uint8Array.of(0xbc));
  return concat(new Uint8Array(Math.ceil(modulusBits / 8) - length), encoded);
}

function mgf1(bits: DigestBits, seed: Uint8Array, length: number): Bytes {
  const parts: Bytes[] = [];
  for (let counter = 0; counter * (bits / 8) < length; counter++) {
    const octets = Uint8Array.of(0, 0, counter >> 8, counter & 0xff);
    parts.push(digest(bits, concat(seed, octets)));
  }
  return concat(...parts).slice(0, length);
}
