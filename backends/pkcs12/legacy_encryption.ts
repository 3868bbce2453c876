/**
 * Triple DES with a key from a password, as Windows and Azure Key Vault encrypt PKCS#12 files
 * (RFC 7292 appendices B and C). WebCrypto has neither.
 *
 * @module
 */

import { createDecipheriv, createHash } from "node:crypto";
import { type Bytes, concat } from "../../src/encoding.ts";
import {
  type DerElement,
  invalidDer,
  match,
  readDer,
  readPositiveInteger,
} from "../../src/x509/der.ts";
import * as TAG from "../../src/x509/der_tags.ts";

/** pbeWithSHAAnd3-KeyTripleDES-CBC. */
export const PBE_SHA1_TRIPLE_DES = "1.2.840.113549.1.12.1.3";

/** More rounds than any file has, all its key derivations together. */
export const MAX_ITERATIONS = 2_000_000;

/** Salt and rounds of a key derivation. */
export interface PbeParameters {
  readonly salt: Bytes;
  readonly iterations: number;
}

/** Reads `pkcs-12PbeParams`; throws `invalid_der` for anything else, or for too many rounds. */
export function readPbeParameters(der: Bytes): PbeParameters {
  const [salt, rounds] = match(readDer(der).members, [TAG.OCTET_STRING, TAG.INTEGER]);
  return { salt: salt.content, iterations: readIterations(rounds) };
}

/** Rounds of a key derivation; throws `invalid_der` for more than anybody waits for. */
export function readIterations(rounds: DerElement): number {
  const iterations = readPositiveInteger(rounds).reduce((value, byte) => value * 256 + byte, 0);
  if (iterations > MAX_ITERATIONS) throw invalidDer("too many rounds of key derivation");
  return iterations;
}

/** The plain text. Throws where the password is wrong, more often than not. */
export function decryptTripleDes(
  ciphertext: Uint8Array,
  password: string,
  parameters: PbeParameters,
): Bytes {
  const key = deriveBytes("key", 24, password, parameters);
  const decipher = createDecipheriv(
    "des-ede3-cbc",
    key,
    deriveBytes("iv", 8, password, parameters),
  );
  return concat(decipher.update(ciphertext), decipher.final());
}

/** Diversifier by purpose (appendix B.3). */
const PURPOSES = { key: 1, iv: 2 } as const;

/** Bytes of a SHA-1 digest, and of the blocks that SHA-1 works on. */
const [DIGEST, BLOCK] = [20, 64] as const;

/** Appendix B.2, with SHA-1. */
export function deriveBytes(
  purpose: keyof typeof PURPOSES,
  length: number,
  password: string,
  { salt, iterations }: PbeParameters,
): Bytes {
  const diversifier = new Uint8Array(BLOCK).fill(PURPOSES[purpose]);
  const input = concat(repeated(salt), repeated(bmpString(password)));
  const derived = new Uint8Array(Math.ceil(length / DIGEST) * DIGEST);
  for (let offset = 0; offset < length; offset += DIGEST) {
    let digest = sha1(concat(diversifier, input));
    for (let round = 1; round < iterations; round++) digest = sha1(digest);
    derived.set(digest, offset);
    const addend = repeated(digest).subarray(0, BLOCK);
    for (let start = 0; start < input.length; start += BLOCK) {
      addOne(input.subarray(start, start + BLOCK), addend);
    }
  }
  return derived.slice(0, length);
}

/** `block` = `block` + `addend` + 1, as big-endian numbers, without what doesn't fit. */
function addOne(block: Uint8Array, addend: Uint8Array): void {
  let carry = 1;
  for (let i = block.length - 1; i >= 0; i--) {
    const sum = block[i]! + addend[i]! + carry;
    block[i] = sum & 0xff;
    carry = sum >> 8;
  }
}

/** `bytes` over and over, up to the end of a block. */
function repeated(bytes: Uint8Array): Bytes {
  const whole = new Uint8Array(Math.ceil(bytes.length / BLOCK) * BLOCK);
  for (let i = 0; i < whole.length; i++) whole[i] = bytes[i % bytes.length]!;
  return whole;
}

/** UTF-16, big-endian, ended by a NUL (appendix B.1). */
function bmpString(text: string): Bytes {
  const bytes = new Uint8Array(2 * text.length + 2);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    bytes.set([unit >> 8, unit & 0xff], 2 * i);
  }
  return bytes;
}

function sha1(bytes: Uint8Array): Bytes {
  return new Uint8Array(createHash("sha1").update(bytes).digest());
}
