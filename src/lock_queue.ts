/**
 * Locks by name within one process, first come, first served.
 *
 * @module
 */

import type { Clock } from "./clock.ts";
import { withDeadline } from "./deadline.ts";
import { KeyboundError } from "./errors.ts";

/** Milliseconds that a lock is waited for where nothing else is said. */
export const DEFAULT_LOCK_TIMEOUT = 30_000;

/** Longest delay that the timers of all runtimes take, milliseconds. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** How a lock is waited for. */
export interface LockWait {
  /** Time. */
  readonly clock: Clock;
  /** Milliseconds to wait. @default 30000 */
  readonly timeout?: number | undefined;
  /** Ends the wait; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Locks by name. Different names never wait for one another. */
export class LockQueue {
  /** Who waits, by the names that are held. */
  readonly #waiting = new Map<string, (() => void)[]>();

  /**
   * Runs `work` while no other work of this name runs in this queue. Not re-entrant.
   *
   * Rejects with `store_lock_timeout`, the signal's reason or whatever `work` rejects with.
   */
  async run<T>(name: string, work: () => Promise<T>, wait: LockWait): Promise<T> {
    wait.signal?.throwIfAborted();
    const queue = this.#waiting.get(name);
    if (queue === undefined) this.#waiting.set(name, []);
    else await this.#turn(name, queue, wait);
    try {
      return await work();
    } finally {
      this.#pass(name);
    }
  }

  async #turn(name: string, queue: (() => void)[], wait: LockWait): Promise<void> {
    const { clock, timeout = DEFAULT_LOCK_TIMEOUT, signal } = wait;
    let grant!: () => void;
    const turn = new Promise<void>((resolve) => grant = resolve);
    queue.push(grant);
    try {
      const ms = Math.min(timeout, LONGEST_TIMER);
      await withDeadline(() => turn, ms, lockTimeout(timeout), clock, signal);
    } catch (error) {
      const place = queue.indexOf(grant);
      if (place >= 0) queue.splice(place, 1);
      else this.#pass(name); // Granted in the very moment of giving up: the next one has it.
      throw error;
    }
  }

  #pass(name: string): void {
    const next = this.#waiting.get(name)!.shift();
    if (next === undefined) this.#waiting.delete(name);
    else next();
  }
}

/** What waiting in vain for `timeout` milliseconds ends with. */
export function lockTimeout(timeout: number): KeyboundError {
  return new KeyboundError(
    "store_lock_timeout",
    `The lock was not free within ${timeout} ms. Another holder is at work or hangs: try again, or find the process that holds it.`,
    { retryable: true },
  );
}
