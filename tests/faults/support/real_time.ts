/**
 * An end to what hangs though time stands still.
 *
 * @module
 */

/** Milliseconds of real time that an acquisition may take: on loopback it takes a hundredth. */
const PATIENCE = 20_000;

/** `work`, or a failure where it doesn't end though nothing holds it up. */
export async function inRealTime<T>(work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end after ${PATIENCE} ms`)), PATIENCE);
  });
  return await Promise.race([work, late]).finally(() => clearTimeout(timer));
}
