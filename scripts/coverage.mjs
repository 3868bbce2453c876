/**
 * `npm run coverage [-- text ...]`: how much of each folder the tests run, or those whose path holds
 * one of the texts, on the newest Node. Ends with an error where a test fails or where a folder that
 * is to be covered isn't.
 *
 * @module
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { COVERED_FOLDERS, gaps, measureCoverage } from "./lib/coverage.mjs";
import { testFiles } from "./lib/suite.mjs";
import { say, withHeartbeat } from "./lib/terminal.mjs";
import { installDependencies, NODES, runtimes } from "./setup.mjs";

/** @typedef {import("./lib/coverage.mjs").Coverage} Coverage */
/** @typedef {import("./lib/lcov.mjs").FileCoverage} FileCoverage */

/** Folders of what is published. */
const SOURCES = ["src", "backends", "cli", "emulator", "plugins", "resource"];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { timeout: { type: "string", default: "120" }, files: { type: "boolean" } },
});

await installDependencies();
const nodes = await runtimes({ nodes: NODES.slice(-1) });
const tests = testFiles(positionals);
const coverage = await withHeartbeat(
  `Running ${tests.length} test files`,
  () => measureCoverage(nodes, tests, SOURCES, { timeout: Number(values.timeout) * 1000 }),
);
say(table(coverage, values.files ? (file) => file : folderOf));
const missing = gaps(coverage);
if (!coverage.ok) say(`\n${coverage.output}`);
if (missing.length > 0) say(`\nTo be covered, ${COVERED_FOLDERS.join(" and ")}:`);
for (const gap of missing) say(`  ${gap}`);
process.exitCode = coverage.ok && missing.length === 0 ? 0 : 1;

/**
 * A line for each group of files.
 *
 * @param {Coverage} coverage
 * @param {(file: string) => string} groupOf
 */
function table({ files, unloaded }, groupOf) {
  const groups = [...new Set([...files.map(({ file }) => file), ...unloaded].map(groupOf))].sort();
  const rows = groups.map((group) =>
    row(
      group,
      files.filter(({ file }) => groupOf(file) === group),
      unloaded.filter((file) => groupOf(file) === group),
    )
  );
  const head = ["", "lines %", "branches %", "functions %", "files", "not loaded"];
  return [head, ...rows, row("all", files, unloaded)].map(([name = "", ...cells]) =>
    name.padEnd(30) + cells.map((cell) => cell.padStart(12)).join("")
  ).join("\n");
}

/**
 * @param {string} name
 * @param {readonly FileCoverage[]} files
 * @param {readonly string[]} unloaded
 */
function row(name, files, unloaded) {
  /** @param {"lines" | "branches" | "functions"} kind */
  const percent = (kind) => {
    const found = files.reduce((sum, file) => sum + file[kind].found, 0);
    const missed = files.reduce((sum, file) => sum + file[kind].missed.length, 0);
    return found === 0 ? "-" : floored(100 * (found - missed) / found);
  };
  const counts = [files.length + unloaded.length, unloaded.length].map(String);
  return [name, percent("lines"), percent("branches"), percent("functions"), ...counts];
}

/**
 * Never rounded up: 100 says that nothing is missing.
 *
 * @param {number} percent
 */
function floored(percent) {
  return (Math.floor(percent * 10) / 10).toFixed(1);
}

/** @param {string} file */
function folderOf(file) {
  return file.slice(0, file.lastIndexOf("/"));
}
