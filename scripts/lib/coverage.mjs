/**
 * How much of the sources tests run: measured by Node's test runner, whose type stripping leaves
 * every position where it was.
 *
 * @module
 */

import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseLcov } from "./lcov.mjs";
import { run } from "./process.mjs";
import { filesBelow, ROOT } from "./project.mjs";
import { testEnvironment, testFiles, withoutPasses } from "./suite.mjs";

/** @typedef {import("./lcov.mjs").FileCoverage} FileCoverage */
/** @typedef {import("./runtime.mjs").Runtime} Runtime */

/**
 * @typedef {object} Coverage
 * @property {boolean} ok whether the tests passed
 * @property {string} output what they said
 * @property {FileCoverage[]} files those that were loaded
 * @property {string[]} unloaded those that weren't
 */

/**
 * Folders of pure decisions and of parsers of hostile bytes: every line and every branch of them is
 * to be run by a test of theirs.
 */
export const COVERED_FOLDERS = ["src/policy", "src/x509"];

/** Milliseconds after which a run is given up: Node waits for ever for a file that doesn't end. */
const LONGEST_RUN = 30 * 60_000;

/** Where the tests of these folders are. */
const THEIR_TESTS = ["tests/policy/", "tests/x509/"];

/**
 * Runs test files and tells what of the sources below these folders they ran.
 *
 * @param {readonly Runtime[]} runtimes
 * @param {readonly string[]} tests
 * @param {readonly string[]} folders
 * @param {{ timeout: number }} options milliseconds for a file
 * @returns {Promise<Coverage>}
 */
export async function measureCoverage(runtimes, tests, folders, { timeout }) {
  const node = newestNode(runtimes);
  const directory = mkdtempSync(join(tmpdir(), "keybound-coverage-"));
  const report = join(directory, "lcov.info");
  try {
    const args = [
      "--test",
      `--test-timeout=${timeout}`,
      `--test-concurrency=${Math.min(availableParallelism(), 8)}`,
      "--experimental-test-coverage",
      ...folders.map((folder) => `--test-coverage-include=${folder}/**`),
      "--test-reporter=spec",
      "--test-reporter-destination=stdout",
      "--test-reporter=lcov",
      `--test-reporter-destination=${report}`,
      ...tests,
    ];
    const { ok, output } = await run(node.command, args, {
      cwd: ROOT,
      env: { ...testEnvironment(process.env), ...node.env },
      timeout: LONGEST_RUN,
    });
    if (!existsSync(report)) throw new Error(`There is no coverage report:\n${output}`);
    const files = parseLcov(readFileSync(report, "utf8"));
    const loaded = new Set(files.map(({ file }) => file));
    const sources = folders.flatMap((folder) => filesBelow(folder));
    const unloaded = sources.filter((file) => file.endsWith(".ts") && !loaded.has(file));
    return { ok, output: withoutPasses(output), files, unloaded };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/**
 * What keeps the folders that are to be covered from being so, a line each.
 *
 * @param {Coverage} coverage
 * @returns {string[]}
 */
export function gaps({ files, unloaded }) {
  /** @param {string} file */
  const isCovered = (file) => COVERED_FOLDERS.some((folder) => file.startsWith(`${folder}/`));
  return [
    ...unloaded.filter(isCovered).map((file) => `${file} is loaded by no test`),
    ...files.filter(({ file }) => isCovered(file)).flatMap(({ file, lines, branches }) => [
      ...[...new Set(lines.missed)].map((line) => `${file}:${line} isn't run`),
      ...[...new Set(branches.missed)].map((line) => `${file}:${line} has a branch not taken`),
    ]),
  ];
}

/**
 * The check that these folders are covered by their own tests, those with random input left out:
 * what covers a branch has to do so every time.
 *
 * @param {readonly Runtime[]} runtimes
 * @returns {import("./steps.mjs").Step}
 */
export function coverageStep(runtimes) {
  return {
    name: `lines and branches of ${COVERED_FOLDERS.join(" and ")}`,
    measures: true,
    run: async () => {
      const tests = testFiles(THEIR_TESTS).filter((file) =>
        !/_(property|fuzz)_test\.ts$/.test(file)
      );
      const coverage = await measureCoverage(runtimes, tests, COVERED_FOLDERS, { timeout: 60_000 });
      if (!coverage.ok) return coverage;
      const missing = gaps(coverage);
      const sum = coverage.files.reduce((all, { lines, branches }) => ({
        lines: all.lines + lines.found,
        branches: all.branches + branches.found,
      }), { lines: 0, branches: 0 });
      return missing.length > 0
        ? { ok: false, output: missing.join("\n") }
        : { ok: true, output: `all of ${sum.lines} lines and ${sum.branches} branches` };
    },
  };
}

/** @param {readonly Runtime[]} runtimes */
function newestNode(runtimes) {
  const nodes = runtimes.filter(({ kind }) => kind === "node")
    .sort((a, b) => parseInt(b.version, 10) - parseInt(a.version, 10));
  const [newest] = nodes;
  if (newest === undefined || parseInt(newest.version, 10) < 22) {
    throw new Error("Coverage is measured on Node 22 or later, which isn't here.");
  }
  return newest;
}
