/**
 * How many tests passed, failed and were skipped.
 *
 * @module
 */

import { CI } from "./project.mjs";

/**
 * @typedef {object} Tally
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped
 */

/**
 * The sum of tallies.
 *
 * @param {readonly Tally[]} tallies
 * @returns {Tally}
 */
export function sum(tallies) {
  const total = { passed: 0, failed: 0, skipped: 0 };
  for (const { passed, failed, skipped } of tallies) {
    total.passed += passed;
    total.failed += failed;
    total.skipped += skipped;
  }
  return total;
}

/**
 * The line that ends a run.
 *
 * @param {Tally} tally
 */
export function closingLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

/**
 * The exit code for it. A run in which nothing passed has not shown anything; on a build server
 * neither has a test that was skipped.
 *
 * @param {Tally} tally
 * @param {boolean} [ci] whether this is a build server
 */
export function exitCode({ passed, failed, skipped }, ci = CI) {
  return failed > 0 || passed === 0 || (ci && skipped > 0) ? 1 : 0;
}
