/**
 * Requests let through a few at a time, first come, first served.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { raceSignal } from "../single_flight.ts";

/** How much is let through. */
export interface Limits {
  /** Requests under way at once. */
  readonly concurrent: number;
  /** Requests started within any second. */
  readonly perSecond: number;
}

/** What the metadata service is spared from. */
export const IMDS_LIMITS: Limits = { concurrent: 5, perSecond: 20 };

/**
 * Milliseconds until the next request may start, given how many run and when (oldest first,
 * milliseconds) those of the last second started: 0 for at once, `Infinity` for when one has ended.
 */
export function admission(
  running: number,
  starts: readonly number[],
  now: number,
  limits: Limits,
): number {
  if (running >= limits.concurrent) return Infinity;
  const oldest = starts.at(-limits.perSecond);
  return oldest === undefined ? 0 : Math.max(0, oldest + 1000 - now);
}

/** A door that lets through what its limits allow. */
export class RequestLimiter {
  readonly #limits: Limits;
  readonly #clock: Clock;
  readonly #waiting: (() => void)[] = [];
  #starts: number[] = [];
  #running = 0;
  #timer: AbortController | undefined;

  /** A door nobody waits at. */
  constructor(limits: Limits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /**
   * Waits for its turn; the returned function, called when the request is over, makes room for the
   * next. Rejects with the signal's reason on abort.
   */
  async enter(signal?: AbortSignal): Promise<() => void> {
    signal?.throwIfAborted();
    let grant!: () => void;
    const turn = new Promise<void>((resolve) => grant = resolve);
    this.#waiting.push(grant);
    this.#admit();
    try {
      await raceSignal(turn, signal);
    } catch (error) {
      this.#giveUp(grant);
      throw error;
    }
    let over = false;
    return () => {
      if (over) return;
      over = true;
      this.#leave();
    };
  }

  #giveUp(grant: () => void): void {
    const place = this.#waiting.indexOf(grant);
    if (place < 0) return this.#leave(); // Let in at the very moment of giving up.
    this.#waiting.splice(place, 1);
    if (this.#waiting.length === 0) this.#timer?.abort();
  }

  #leave(): void {
    this.#running--;
    this.#admit();
  }

  #admit(): void {
    while (this.#waiting.length > 0) {
      const now = this.#clock.now();
      // Starts after now are from before the clock was put back.
      this.#starts = this.#starts.filter((start) => start <= now && now - start < 1000);
      const wait = admission(this.#running, this.#starts, now, this.#limits);
      if (wait > 0) return this.#wake(wait);
      this.#running++;
      this.#starts.push(now);
      this.#waiting.shift()!();
    }
  }

  #wake(wait: number): void {
    if (wait === Infinity || this.#timer !== undefined) return;
    const timer = new AbortController();
    this.#timer = timer;
    const done = () => this.#timer = undefined;
    this.#clock.sleep(wait, timer.signal).then(done, done).then(() => this.#admit());
  }
}
