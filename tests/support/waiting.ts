/**
 * Waiting without sleeping.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { ManualClock } from "./clock.ts";

/** Lets the event loop turn until `condition` holds; fails if it never does. */
export async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 5000; i++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  assert.fail("It never came.");
}

/** The outcome of `work`, the clock moving on in small steps whenever it would wait. */
export async function settling<T>(clock: ManualClock, work: Promise<T>): Promise<T> {
  let settled = false;
  const done = work.finally(() => settled = true);
  done.catch(() => {});
  while (!settled) await clock.advance(50);
  return await done;
}
