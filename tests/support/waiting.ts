/**
 * Waiting without sleeping.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { KeyboundEvent } from "../../src/events.ts";
import type { ManualClock } from "./clock.ts";

/** Lets the event loop turn until `condition` holds; fails if it never does. */
export async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 5000; i++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  assert.fail("It never came.");
}

/** The outcome of `work`, the clock moving on by the delay of each retry that is announced. */
export async function settling<T>(
  { clock, events }: { clock: ManualClock; events: readonly KeyboundEvent[] },
  work: Promise<T>,
): Promise<T> {
  let settled = false;
  const done = work.finally(() => settled = true);
  done.catch(() => {});
  let seen = 0;
  while (!settled) {
    const event = events[seen];
    if (event !== undefined) seen++;
    if (event?.type === "retry") await clock.advance(event.delay);
    else if (event === undefined) await new Promise((resolve) => setTimeout(resolve, 0));
  }
  return await done;
}
