/**
 * The suite: every test file on every runtime, each in a process of its own.
 *
 * @module
 */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { testCases } from "./junit.mjs";
import { pool } from "./pool.mjs";
import { run } from "./process.mjs";
import { filesBelow, ROOT } from "./project.mjs";
import { sum } from "./tally.mjs";
import { say, statusLine } from "./terminal.mjs";

/** @typedef {import("./junit.mjs").TestCase} TestCase */
/** @typedef {import("./runtime.mjs").Runtime} Runtime */
/** @typedef {import("./tally.mjs").Tally} Tally */

/**
 * @typedef {object} FileResult
 * @property {Runtime} runtime
 * @property {string} file
 * @property {TestCase[]} cases
 * @property {number} seconds
 */

/**
 * @typedef {object} SuiteResult
 * @property {Tally} tally
 * @property {string[]} failed names, with runtime and file
 * @property {string[]} skipped likewise
 * @property {{ file: string, tally: Tally }[]} results one for each file and runtime
 */

/** How many files are named that took the longest. */
const SLOWEST = 20;

/**
 * The test files, or those whose path holds one of these texts.
 *
 * @param {readonly string[]} filters
 */
export function testFiles(filters) {
  const texts = filters.map((filter) => filter.replaceAll("\\", "/").replace(/^\.\//, ""));
  return filesBelow("tests").filter((path) =>
    path.endsWith("_test.ts") &&
    (texts.length === 0 || texts.some((text) => path.includes(text)))
  );
}

/**
 * Runs test files on runtimes.
 *
 * @param {readonly Runtime[]} runtimes
 * @param {readonly string[]} files
 * @param {{ concurrency: number, timeout: number, beside?: readonly (() => Promise<void>)[] }} options
 *   processes at a time; milliseconds that a file may take; what else is done, each in the place of
 *   a process
 * @returns {Promise<SuiteResult>}
 */
export async function runSuite(runtimes, files, { concurrency, timeout, beside = [] }) {
  const reports = mkdtempSync(join(tmpdir(), "keybound-tests-"));
  const status = statusLine();
  /** @type {FileResult[]} */
  const done = [];
  /** @type {FileResult[]} */
  const results = [];
  const jobs = runtimes.flatMap((runtime) => files.map((file) => ({ runtime, file })));
  const work = jobs.map(({ runtime, file }, i) => async () => {
    const report = join(reports, `${runtime.name}-${file.replaceAll("/", "-")}.xml`);
    const result = await runFile(runtime, file, report, timeout);
    results[i] = result;
    done.push(result);
    const ofRuntime = done.filter((other) => other.runtime === runtime);
    if (ofRuntime.length === files.length) say(runtimeLine(runtime, ofRuntime));
    status(`${done.length}/${jobs.length} files; ${runtime.name} ${file}`);
  });
  try {
    await pool([...beside, ...work], concurrency, (doIt) => doIt());
  } finally {
    rmSync(reports, { recursive: true, force: true });
  }
  if (results.length > SLOWEST) say(`\nSlowest:\n${slowest(results).join("\n")}`);
  return {
    tally: sum(results.map(({ cases }) => tallyOf(cases))),
    failed: namesOf(results, "failed"),
    skipped: namesOf(results, "skipped"),
    results: results.map(({ file, cases }) => ({ file, tally: tallyOf(cases) })),
  };
}

/**
 * @param {Runtime} runtime
 * @param {string} file
 * @param {string} report path for the JUnit report
 * @param {number} timeout
 * @returns {Promise<FileResult>}
 */
async function runFile(runtime, file, report, timeout) {
  const { ok, output, seconds } = await run(runtime.command, runtime.testArgs(file, report), {
    cwd: ROOT,
    env: { ...testEnvironment(process.env), ...runtime.env },
    timeout,
  });
  const cases = testCases(readReport(report), runtime.kind);
  const isFailed = () => cases.some((test) => test.status === "failed");
  // Without a test to blame, what passed shows how far it came.
  const shown = isFailed() ? withoutPasses(output) : output;
  if (!ok && !isFailed()) cases.push({ name: "(outside of a test)", status: "failed" });
  if (ok && cases.length === 0) cases.push({ name: "(no test was run)", status: "failed" });
  if (isFailed()) say(`\n----- ${runtime.name} ${file}\n${shown.trim()}\n-----\n`);
  return { runtime, file, cases, seconds };
}

/**
 * The report; empty where the runtime wrote none.
 *
 * @param {string} path
 */
function readReport(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/**
 * The environment without what would lead a test to this host's metadata service or to a proxy, or
 * a runtime to options that aren't ours.
 *
 * @param {NodeJS.ProcessEnv} env
 * @returns {NodeJS.ProcessEnv}
 */
export function testEnvironment(env) {
  const foreign =
    /^(AZURE_|IDENTITY_|IMDS_|MSI_|KEYBOUND_|NODE_OPTIONS$|NODE_TEST_CONTEXT$|FORCE_COLOR$|(HTTPS?|ALL|NO)_PROXY$)/i;
  const kept = Object.entries(env).filter(([name]) => !foreign.test(name));
  return { ...Object.fromEntries(kept), NO_COLOR: "1" };
}

/**
 * A runtime's output without the lines for tests that passed and without sums.
 *
 * @param {string} output
 */
export function withoutPasses(output) {
  const pass = /^\s*✔ |^ℹ |^\(pass\) |\.\.\. ok \(\d+m?s\)$/;
  return output.split("\n").filter((line) => !pass.test(line.trimEnd())).join("\n");
}

/**
 * @param {Runtime} runtime
 * @param {readonly FileResult[]} results
 */
function runtimeLine({ name, version }, results) {
  const { passed, failed, skipped } = sum(results.map(({ cases }) => tallyOf(cases)));
  const seconds = results.reduce((total, result) => total + result.seconds, 0).toFixed(1);
  const counts = `${passed} passed, ${failed} failed, ${skipped} skipped`;
  return `${name.padEnd(8)}${version.padEnd(10)}${counts}  (${results.length} files, ${seconds} s)`;
}

/**
 * The files that took the longest.
 *
 * @param {readonly FileResult[]} results
 */
function slowest(results) {
  return [...results]
    .sort((a, b) => b.seconds - a.seconds)
    .slice(0, SLOWEST)
    .map(({ runtime, file, seconds }) =>
      `  ${seconds.toFixed(1).padStart(5)} s  ${runtime.name} ${file}`
    );
}

/**
 * @param {readonly TestCase[]} cases
 * @returns {Tally}
 */
function tallyOf(cases) {
  const tally = { passed: 0, failed: 0, skipped: 0 };
  for (const { status } of cases) tally[status]++;
  return tally;
}

/**
 * @param {readonly FileResult[]} results
 * @param {TestCase["status"]} status
 */
function namesOf(results, status) {
  return results.flatMap(({ runtime, file, cases }) =>
    cases
      .filter((test) => test.status === status)
      .map((test) => `${runtime.name} ${file}: ${test.name}`)
  );
}
