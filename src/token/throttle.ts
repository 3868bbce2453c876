/**
 * Requests that a server wants held back (protocol.md section 4.5).
 *
 * @module
 */

import type { Answer } from "../http.ts";
import { throttledUntil } from "../policy/retry.ts";

interface Held {
  /** From when, in milliseconds since the Unix epoch; before that, the clock has been put back. */
  readonly since: number;
  /** Until when. */
  readonly until: number;
  /** What the server had said. */
  readonly error: unknown;
}

/** Far more than one process asks for at a time. */
const CAPACITY = 1000;

/** Questions, by their keys in the token cache, that fail without being sent for a while. */
export class Throttle {
  readonly #held = new Map<string, Held>();

  /** Throws what the server had said, while the pause lasts that it asked for. */
  check(cacheKey: string, now: number): void {
    const held = this.#held.get(cacheKey);
    if (held && now >= held.since && now < held.until) throw held.error;
  }

  /** Notes the pause that an answer asks for, if it does. */
  note(
    cacheKey: string,
    { status, retryAfter }: Pick<Answer, "status" | "retryAfter">,
    now: number,
    error: unknown,
  ): void {
    const until = throttledUntil(status, retryAfter, now);
    if (until === undefined) return;
    if (this.#held.size >= CAPACITY) this.#held.clear();
    this.#held.set(cacheKey, { since: now, until, error });
  }
}
