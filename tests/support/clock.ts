/**
 * Time that a test moves by hand.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import type { Clock } from "../../src/clock.ts";

/** Start of the tests' time, milliseconds since the Unix epoch: 1 January 2030, 00:00 UTC. */
export const EPOCH: number = Date.UTC(2030, 0, 1);

/** One hour, milliseconds. */
export const HOUR = 3_600_000;

/** A clock that stands still until it is told otherwise. */
export interface ManualClock extends Clock {
  /** How many sleep. */
  readonly sleepers: number;
  /**
   * Moves on by `ms` milliseconds, waking who is due in the order of their times, each at its own;
   * what they do at once, file operations apart, is done when this resolves.
   */
  advance(ms: number): Promise<void>;
}

interface Sleeper {
  readonly due: number;
  readonly wake: () => void;
}

/** A clock at `start`, milliseconds since the Unix epoch. */
export function manualClock(start: number = EPOCH): ManualClock {
  let now = start;
  const sleepers = new Set<Sleeper>();
  return {
    now: () => now,
    get sleepers() {
      return sleepers.size;
    },
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason);
        const sleeper = { due: now + ms, wake: resolve };
        sleepers.add(sleeper);
        signal?.addEventListener("abort", () => {
          sleepers.delete(sleeper);
          reject(signal.reason);
        }, { once: true });
      }),
    async advance(ms) {
      const end = now + ms;
      await settle();
      while (true) {
        const next = [...sleepers].filter(({ due }) => due <= end).sort((a, b) => a.due - b.due)[0];
        if (next === undefined) break;
        sleepers.delete(next);
        now = Math.max(now, next.due);
        next.wake();
        await settle();
      }
      now = end;
      await settle();
    },
  };
}

/** Lets everything run that waits for nothing but its turn. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => resolve()));
}

/** Moves the clock on, 100 ms whenever somebody sleeps, until `promise` settles. */
export async function drive<T>(clock: ManualClock, promise: Promise<T>): Promise<T> {
  let settled = false;
  const done = () => void (settled = true);
  promise.then(done, done);
  while (!settled) await clock.advance(clock.sleepers > 0 ? 100 : 0);
  return await promise;
}
