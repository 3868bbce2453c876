/**
 * The two forms of an ECDSA signature: `Ecdsa-Sig-Value` in DER (RFC 3279 section 2.2.3), as X.509
 * and TLS carry it, and r || s at fixed width (IEEE P1363), as WebCrypto and JOSE do.
 *
 * @module
 */

import { type Bytes, concat } from "../encoding.ts";
import { KeyboundError } from "../errors.ts";
import * as TAG from "./der_tags.ts";
import { invalidDer, match, readDer, readPositiveInteger } from "./der.ts";
import { integer, sequence } from "./der_writer.ts";

/**
 * The DER of a signature in P1363 form.
 *
 * Throws `invalid_argument` for no bytes or an odd number of them.
 */
export function ecdsaSignatureToDer(p1363: Uint8Array): Bytes {
  const size = p1363.length / 2;
  if (size === 0 || !Number.isInteger(size)) {
    throw new KeyboundError("invalid_argument", "An ECDSA signature is two numbers of one size.");
  }
  return sequence(integer(p1363.subarray(0, size)), integer(p1363.subarray(size)));
}

/**
 * The P1363 form, 2 × `size` bytes, of a signature in DER. `size` is the curve's: 32 bytes for
 * P-256, 48 for P-384, 66 for P-521.
 *
 * Throws `invalid_der` for anything but two positive INTEGERs of at most `size` bytes.
 */
export function ecdsaSignatureFromDer(der: Bytes, size: number): Bytes {
  const numbers = match(readDer(der).members, [TAG.INTEGER, TAG.INTEGER]).map(readPositiveInteger);
  if (numbers.some(({ length }) => length > size)) throw invalidDer("a number beyond the curve");
  return concat(...numbers.flatMap((n) => [new Uint8Array(size - n.length), n]));
}
