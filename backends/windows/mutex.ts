/**
 * A named mutex of Windows, taken without making this thread wait.
 *
 * @module
 */

import type { Clock } from "../../src/clock.ts";
import { KeyboundError } from "../../src/errors.ts";
import { lockTimeout } from "../../src/lock_queue.ts";
import { ERROR, WAIT } from "./constants.ts";
import type { Kernel32Functions } from "./functions.ts";
import { wide } from "../ffi/wide_text.ts";

/** Milliseconds between two looks at a mutex that is held. */
const POLL = 20;

/** How a mutex is waited for. */
export interface MutexWait {
  /** Time. */
  readonly clock: Clock;
  /** When to give up, milliseconds since the Unix epoch. */
  readonly deadline: number;
  /** What to say was waited, milliseconds. */
  readonly timeout: number;
  /** Ends the wait; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Takes the mutex of this name and gives what releases it, to be called on this thread. One whose
 * holder has died counts as free: what it guards is consistent at every moment.
 *
 * It belongs to this thread, which takes it again as often as it asks: that keeps out other threads
 * and processes only.
 *
 * Rejects with `store_lock_timeout`, `store_unavailable` or the signal's reason.
 */
export async function acquireMutex(
  kernel32: Kernel32Functions,
  name: string,
  { clock, deadline, timeout, signal }: MutexWait,
): Promise<() => void> {
  signal?.throwIfAborted();
  const handle = openMutex(kernel32, name);
  try {
    while (true) {
      const result = kernel32.WaitForSingleObject(handle, 0);
      if (result === WAIT.OBJECT || result === WAIT.ABANDONED) break;
      if (result !== WAIT.TIMEOUT) throw failure("WaitForSingleObject", kernel32.GetLastError());
      const left = deadline - clock.now();
      if (left <= 0) throw lockTimeout(timeout);
      await clock.sleep(Math.min(POLL, left), signal);
    }
  } catch (error) {
    kernel32.CloseHandle(handle);
    throw error;
  }
  return () => {
    kernel32.ReleaseMutex(handle);
    kernel32.CloseHandle(handle);
  };
}

/** For all sessions of the machine, or for this one where only that is allowed. */
function openMutex(kernel32: Kernel32Functions, name: string): bigint {
  const open = (scope: string) => kernel32.CreateMutexW(0n, 0, wide(`${scope}\\${name}`));
  const everywhere = open("Global");
  if (everywhere !== 0n) return everywhere;
  const error = kernel32.GetLastError();
  const here = error === ERROR.ACCESS_DENIED ? open("Local") : 0n;
  if (here !== 0n) return here;
  throw failure("CreateMutexW", error);
}

function failure(operation: string, error: number): KeyboundError {
  return new KeyboundError(
    "store_unavailable",
    `The certificate store can't be locked: ${operation} failed with 0x${error.toString(16)}.`,
  );
}
