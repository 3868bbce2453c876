/**
 * Which self-signed assertions have been used (RFC 7523 section 3, item 7).
 *
 * @module
 */

/** Far more assertions than are in force at a time. */
const CAPACITY = 100_000;

/** Ids of assertions until they expire. */
export class UsedAssertions {
  readonly #expiries = new Map<string, number>();

  /** Notes the id and says whether it is new. `expiry` and `now` in ms since the Unix epoch. */
  isFirst(id: string, expiry: number, now: number): boolean {
    for (const [known, end] of this.#expiries) if (end < now) this.#expiries.delete(known);
    if (this.#expiries.has(id) || this.#expiries.size >= CAPACITY) return false;
    this.#expiries.set(id, expiry);
    return true;
  }

  /** Forgets all of them. */
  clear(): void {
    this.#expiries.clear();
  }
}
