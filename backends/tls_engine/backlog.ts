/**
 * Bytes that wait for their turn.
 *
 * @module
 */

import { concat } from "../../src/encoding.ts";

/** Bytes from which on the sender has to wait: more than a server's flight ever has. */
const FULL = 262_144;

const NOTHING = new Uint8Array(0);

/** What came while nobody could look at it. */
export class Backlog {
  #chunks: Uint8Array[] = [];
  #length = 0;

  /** Puts it behind the others; says whether no more should come for now. */
  add(chunk: Uint8Array): boolean {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    return this.#length >= FULL;
  }

  /** All of it, as one. */
  take(): Uint8Array {
    const [first = NOTHING, ...more] = this.#chunks;
    this.#chunks = [];
    this.#length = 0;
    return more.length === 0 ? first : concat(first, ...more);
  }
}
