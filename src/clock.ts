/**
 * Time as the library sees it, so that tests can hold it still.
 *
 * @module
 */

import { raceSignal } from "./single_flight.ts";

/** The time and the passing of it. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Resolves after `ms` milliseconds; rejects with the signal's reason on abort. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Longest delay that the timers of all runtimes take, in milliseconds; longer ones go off at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** The clock of the runtime. */
export function systemClock(): Clock {
  return {
    now: () => Date.now(),
    async sleep(ms, signal) {
      let timer: ReturnType<typeof setTimeout>;
      const slept = new Promise<void>((resolve) =>
        timer = setTimeout(resolve, Math.min(ms, LONGEST_TIMER))
      );
      await raceSignal(slept, signal).finally(() => clearTimeout(timer));
    },
  };
}
