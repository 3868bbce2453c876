/**
 * Reading and writing the vectors of the TLS presentation language (RFC 8446 section 3).
 *
 * @module
 */

import { type Bytes, concat } from "../../src/encoding.ts";

/** `value` in this many bytes, big-endian. */
export function uint(value: number, width: 1 | 2 | 3): Bytes {
  const bytes = new Uint8Array(width);
  for (let i = width - 1, rest = value; i >= 0; i--, rest >>>= 8) bytes[i] = rest & 0xff;
  return bytes;
}

/** The parts as one vector, preceded by its length in this many bytes. */
export function vector(width: 1 | 2 | 3, ...parts: readonly Uint8Array[]): Bytes {
  const content = concat(...parts);
  if (content.length >= 2 ** (8 * width)) throw new RangeError("The vector is too long.");
  return concat(uint(content.length, width), content);
}

/** Takes values off the front of some bytes; throws a `RangeError` where they end too soon. */
export class WireReader {
  #rest: Uint8Array;

  /** A reader of these bytes. */
  constructor(bytes: Uint8Array) {
    this.#rest = bytes;
  }

  /** Whether nothing is left. */
  get done(): boolean {
    return this.#rest.length === 0;
  }

  /** The next `length` bytes. */
  bytes(length: number): Uint8Array {
    if (length > this.#rest.length) throw new RangeError("The message ends too soon.");
    const taken = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return taken;
  }

  /** The next unsigned number of this many bytes. */
  uint(width: 1 | 2 | 3): number {
    return this.bytes(width).reduce((value, byte) => value * 256 + byte, 0);
  }

  /** The next vector whose length takes this many bytes. */
  vector(width: 1 | 2 | 3): WireReader {
    return new WireReader(this.bytes(this.uint(width)));
  }

  /** Everything that is left. */
  remainder(): Uint8Array {
    return this.bytes(this.#rest.length);
  }

  /** Everything that is left, as unsigned numbers of two bytes. */
  uint16s(): number[] {
    const values: number[] = [];
    while (!this.done) values.push(this.uint(2));
    return values;
  }
}
