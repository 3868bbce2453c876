/**
 * What a script shows while it works.
 *
 * @module
 */

import process from "node:process";

/** Milliseconds between two signs of life where the output isn't a terminal. */
const HEARTBEAT = 20_000;

let output = process.stdout;

/** Leaves standard output to the results: what is said goes to standard error from now on. */
export function useStandardError() {
  output = /** @type {typeof output} */ (/** @type {unknown} */ (process.stderr));
}

/**
 * Writes a line on standard output.
 *
 * @param {string} [line]
 */
export function say(line = "") {
  clear();
  output.write(`${line}\n`);
}

/**
 * Shows what is going on: in place on a terminal, now and then elsewhere.
 *
 * @returns {(text: string) => void}
 */
export function statusLine() {
  let last = performance.now();
  return (text) => {
    if (output.isTTY) {
      clear();
      output.write(text.slice(0, (output.columns ?? 80) - 1));
    } else if (performance.now() - last > HEARTBEAT) {
      last = performance.now();
      say(`... ${text}`);
    }
  };
}

/**
 * Does what takes a while, and says so.
 *
 * @template T
 * @param {string} title
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withHeartbeat(title, work) {
  say(`${title} ...`);
  const start = performance.now();
  const seconds = () => ((performance.now() - start) / 1000).toFixed(0);
  const timer = setInterval(() => say(`... ${title}: ${seconds()} s`), HEARTBEAT);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

/** Takes the status line away. */
function clear() {
  if (output.isTTY) output.write("\r\x1b[K");
}
