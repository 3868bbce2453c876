/**
 * Work that may take only so long.
 *
 * @module
 */

import type { Clock } from "./clock.ts";
import { raceSignal } from "./single_flight.ts";

/**
 * What `work` gives, which is told by its signal when the time is up or `signal` is aborted.
 * Rejects with `late` after `ms` milliseconds, and with the signal's reason on abort, whether or
 * not `work` listens.
 */
export async function withDeadline<T>(
  work: (signal: AbortSignal) => Promise<T>,
  ms: number,
  late: Error,
  clock: Clock,
  signal: AbortSignal | undefined,
): Promise<T> {
  signal?.throwIfAborted();
  const timeout = new AbortController();
  const timer = new AbortController();
  const either = AbortSignal.any([timeout.signal, ...(signal === undefined ? [] : [signal])]);
  clock.sleep(ms, timer.signal).then(() => timeout.abort(late), () => {});
  try {
    return await raceSignal(work(either), either);
  } catch (error) {
    either.throwIfAborted();
    throw error;
  } finally {
    timer.abort();
  }
}
