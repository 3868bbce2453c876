/**
 * A queue whose entries each serve a number of takers.
 *
 * @module
 */

import { KeyboundError } from "../src/errors.ts";

/** Entries that may wait in one queue. */
const LIMIT = 10_000;

/** What an entry says about itself: how often it is taken before the next one is up. */
export interface Repeated {
  readonly times?: number | "forever";
}

/** First in, first out, each entry `times` times. */
export class Queue<Entry extends Repeated> {
  readonly #entries: { readonly entry: Entry; left: number }[] = [];

  /** Appends entries; throws `invalid_argument` when the queue would grow beyond 10,000. */
  push(entries: readonly Entry[]): void {
    if (this.#entries.length + entries.length > LIMIT) {
      throw new KeyboundError(
        "invalid_argument",
        `A script holds at most ${LIMIT} steps; use 'times' to repeat one.`,
      );
    }
    for (const entry of entries) {
      this.#entries.push({
        entry,
        left: entry.times === "forever" ? Infinity : entry.times ?? 1,
      });
    }
  }

  /** The entry that is up, or `undefined` in an empty queue. */
  take(): Entry | undefined {
    const first = this.#entries[0];
    if (first === undefined) return undefined;
    first.left -= 1;
    if (first.left <= 0) this.#entries.shift();
    return first.entry;
  }

  /** Forgets everything. */
  clear(): void {
    this.#entries.length = 0;
  }
}
