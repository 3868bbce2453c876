/**
 * Checks that aren't tests of a runtime, each counted as one test.
 *
 * @module
 */

import { pool } from "./pool.mjs";
import { say } from "./terminal.mjs";

/**
 * @typedef {object} Step
 * @property {string} name
 * @property {() => Promise<{ ok: boolean, output: string }>} run
 * @property {boolean} [measures] whether the last line of its output is a figure worth showing
 */

/**
 * @typedef {object} StepsResult
 * @property {import("./tally.mjs").Tally} tally
 * @property {string[]} failed names
 */

/**
 * Runs steps and writes a line on each, with the whole output of those that fail.
 *
 * @param {readonly Step[]} steps
 * @param {number} [concurrency]
 * @returns {Promise<StepsResult>}
 */
export async function runSteps(steps, concurrency = 1) {
  /** @type {string[]} */
  const failed = [];
  await pool(steps, concurrency, async ({ name, run, measures = false }) => {
    const start = performance.now();
    const { ok, output } = await outcome(run);
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    say(`${name.padEnd(52)}${ok ? "ok" : "failed"}  (${seconds} s)`);
    if (ok && measures) say(`  ${output.trim().split("\n").at(-1)}`);
    if (ok) return;
    failed.push(name);
    say(`\n----- ${name}\n${output.trim()}\n-----\n`);
  });
  return {
    tally: { passed: steps.length - failed.length, failed: failed.length, skipped: 0 },
    failed,
  };
}

/** @param {Step["run"]} run */
async function outcome(run) {
  try {
    return await run();
  } catch (error) {
    return { ok: false, output: error instanceof Error ? String(error.stack) : String(error) };
  }
}
