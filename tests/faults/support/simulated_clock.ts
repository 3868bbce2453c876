/**
 * Time that passes only when the client waits: real networks, but waits that cost nothing.
 *
 * @module
 */

import type { Clock } from "../../../src/clock.ts";
import { settle } from "../../support/clock.ts";

interface Sleeper {
  readonly due: number;
  readonly wake: () => void;
}

/**
 * A clock that moves in three ways: on by itself through a wait that was announced, as a retry is
 * by its event; on by `advance`, when something on the network or in a device takes its time; and
 * to and fro by `set`, as somebody sets a host's clock, which wakes no sleeper.
 */
export class SimulatedClock implements Clock {
  #elapsed = 0;
  #start: number;
  #announced: number[] = [];
  readonly #sleepers = new Set<Sleeper>();

  /** A clock that shows `start`, milliseconds since the Unix epoch. */
  constructor(start: number) {
    this.#start = start;
  }

  now(): number {
    return this.#start + this.#elapsed;
  }

  /** Milliseconds that have passed, however the clock was set. */
  get elapsed(): number {
    return this.#elapsed;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const place = this.#announced.indexOf(ms);
    if (place >= 0) this.#announced.splice(place, 1);
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (place >= 0) {
      this.#moveOn(this.#elapsed + ms);
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const sleeper = { due: this.#elapsed + ms, wake: resolve };
      this.#sleepers.add(sleeper);
      signal?.addEventListener("abort", () => {
        this.#sleepers.delete(sleeper);
        reject(signal.reason);
      }, { once: true });
    });
  }

  /** The next `sleep` of exactly this many milliseconds is over at once; the time has passed. */
  announce(ms: number): void {
    this.#announced.push(ms);
  }

  /** Lets this much time pass, waking those who are due one after the other. */
  async advance(ms: number): Promise<void> {
    const end = this.#elapsed + ms;
    while (true) {
      const next = Math.min(...[...this.#sleepers].map(({ due }) => due));
      if (next > end) break;
      this.#moveOn(next);
      await settle();
    }
    this.#moveOn(end);
    await settle();
  }

  /** Sets the clock on by this many milliseconds, or back. */
  set(ms: number): void {
    this.#start += ms;
  }

  #moveOn(to: number): void {
    this.#elapsed = Math.max(this.#elapsed, to);
    for (const sleeper of this.#sleepers) {
      if (sleeper.due > this.#elapsed) continue;
      this.#sleepers.delete(sleeper);
      sleeper.wake();
    }
  }
}
