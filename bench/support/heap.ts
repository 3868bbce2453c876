/**
 * The heap in use once what nobody holds is gone.
 *
 * @module
 */

import process from "node:process";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

declare const Bun: { gc(force: boolean): void } | undefined;

const collect = typeof Bun === "undefined" ? v8Collector() : () => Bun!.gc(true);

/** Rounds without any gain after which the rest counts as held. */
const PATIENCE = 8;

/** Bytes in use, once collecting gains nothing any more: the runtime's finalizers take their turns. */
export async function heapInUse(): Promise<number> {
  let least = Infinity;
  for (let idle = 0; idle < PATIENCE; idle++) {
    await new Promise((resolve) => setTimeout(resolve, 25));
    collect();
    const { heapUsed } = process.memoryUsage();
    if (heapUsed < 0.99 * least) idle = 0;
    least = Math.min(least, heapUsed);
  }
  return least;
}

/** The collector of V8, which programs don't see unless it is told to show it. */
function v8Collector(): () => void {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as () => void;
}
