/**
 * How long the certificates in use still live.
 *
 * @module
 */

import type { KeyboundEvent } from "../../src/events.ts";

/** Most certificates that are remembered. */
const LIMIT = 1000;

/** Milliseconds after which an expired certificate is taken for one that nobody uses any more. */
const FORGOTTEN = 24 * 3_600_000;

/** The ends of certificates, as events tell them. */
export class CertificateLives {
  /** Milliseconds since the Unix epoch, by masked alias; the least recent first. */
  readonly #ends = new Map<string, number>();

  /** Takes note of an event. */
  note(event: KeyboundEvent): void {
    const { type, alias } = event;
    if (type === "evict") this.#ends.delete(alias);
    if (type !== "mint" && type !== "adopt") return;
    this.#ends.delete(alias);
    this.#ends.set(alias, event.notAfter);
    const [oldest] = this.#ends.keys();
    if (this.#ends.size > LIMIT) this.#ends.delete(oldest!);
  }

  /** Milliseconds left to the one that ends first, negative if it is over; `undefined` without any. */
  shortest(now: number): number | undefined {
    for (const [alias, end] of this.#ends) if (end + FORGOTTEN < now) this.#ends.delete(alias);
    return this.#ends.size === 0 ? undefined : Math.min(...this.#ends.values()) - now;
  }
}
