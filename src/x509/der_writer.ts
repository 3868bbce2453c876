/**
 * Writers of DER (ITU-T X.690): the types that a CSR, a public key and a signature are made of.
 *
 * @module
 */

import { type Bytes, concat, utf8 } from "../encoding.ts";
import { KeyboundError } from "../errors.ts";
import * as TAG from "./der_tags.ts";

/** The encoding of a value with this identifier octet and these content octets. */
export function encodeDer(tag: number, ...content: readonly Uint8Array[]): Bytes {
  const length = content.reduce((sum, part) => sum + part.length, 0);
  const octets: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  const header = length < 0x80 ? [tag, length] : [tag, 0x80 | octets.length, ...octets];
  return concat(Uint8Array.from(header), ...content);
}

/** A SEQUENCE of encodings. */
export function sequence(...members: readonly Uint8Array[]): Bytes {
  return encodeDer(TAG.SEQUENCE, ...members);
}

/** A SET OF encodings, which come in ascending order as DER wants it (X.690 section 11.6). */
export function setOf(...members: readonly Uint8Array[]): Bytes {
  return encodeDer(TAG.SET, ...members);
}

/** Encodings under the constructed context tag `[number]`: EXPLICIT, or IMPLICIT of a SET OF. */
export function context(number: number, ...members: readonly Uint8Array[]): Bytes {
  return encodeDer(0xa0 | number, ...members);
}

/** The INTEGER of a big-endian magnitude, leading zeros allowed. */
export function integer(magnitude: Uint8Array): Bytes {
  const first = magnitude.findIndex((octet) => octet !== 0);
  const digits = first < 0 ? new Uint8Array(1) : magnitude.subarray(first);
  return encodeDer(TAG.INTEGER, new Uint8Array(digits[0]! > 0x7f ? 1 : 0), digits);
}

/** A BIT STRING of whole octets. */
export function bitString(octets: Uint8Array): Bytes {
  return encodeDer(TAG.BIT_STRING, new Uint8Array(1), octets);
}

/** NULL. */
export function nullValue(): Bytes {
  return encodeDer(TAG.NULL);
}

/** An OBJECT IDENTIFIER; throws `invalid_argument` for text that isn't one in dotted form. */
export function oid(dotted: string): Bytes {
  if (!/^([01]\.[1-3]?\d|2\.(0|[1-9]\d*))(\.(0|[1-9]\d*))*$/.test(dotted)) {
    throw new KeyboundError("invalid_argument", `'${dotted}' is not an object identifier.`);
  }
  const [root, second, ...rest] = dotted.split(".").map(BigInt) as [bigint, bigint, ...bigint[]];
  const octets = [root * 40n + second, ...rest].flatMap((arc) => {
    const digits = [Number(arc & 0x7fn)];
    while ((arc >>= 7n) > 0n) digits.unshift(Number(arc & 0x7fn) | 0x80);
    return digits;
  });
  return encodeDer(TAG.OBJECT_IDENTIFIER, Uint8Array.from(octets));
}

/** A UTF8String. */
export function utf8String(text: string): Bytes {
  return encodeDer(TAG.UTF8_STRING, utf8(text));
}

/** A PrintableString where its alphabet allows (X.680 section 41.4), else a UTF8String. */
export function directoryString(text: string): Bytes {
  const isPrintable = /^[A-Za-z0-9 '()+,\-./:=?]*$/.test(text);
  return isPrintable ? encodeDer(TAG.PRINTABLE_STRING, utf8(text)) : utf8String(text);
}
