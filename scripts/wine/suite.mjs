/**
 * The tests under Wine: every file of tests/wine on the Windows build of every runtime, one after the
 * other, for they share the registry and the certificate store of one Windows.
 *
 * @module
 */

import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { startEmulator } from "../lib/emulator.mjs";
import { testCases } from "../lib/junit.mjs";
import { filesBelow } from "../lib/project.mjs";
import { withoutPasses } from "../lib/suite.mjs";
import { closingLine, sum } from "../lib/tally.mjs";
import { say } from "../lib/terminal.mjs";
import { OUT, runInChroot, SIMULATED_KSP } from "./environment.mjs";
import { runtimeEnvironment, sweep } from "./programs.mjs";

/** @typedef {import("./setup.mjs").WindowsRuntime} WindowsRuntime */
/** @typedef {import("../lib/junit.mjs").TestCase} TestCase */
/** @typedef {import("../lib/tally.mjs").Tally} Tally */

/**
 * @typedef {object} Tier
 * @property {string} title what answers instead of Windows
 * @property {(file: string) => boolean} has whether a test file belongs to it
 * @property {Record<string, string>} env for its programs
 */

/**
 * @typedef {object} WineResult
 * @property {{ title: string, tally: Tally }[]} tiers
 * @property {string[]} failed names, with runtime and file
 * @property {string[]} skipped likewise
 */

const isSimulated = (/** @type {string} */ file) => file.endsWith("_simulated_wine.ts");

/**
 * What test files run on, and how they are told from others.
 *
 * @type {readonly Tier[]}
 */
export const TIERS = [
  { title: "Wine", has: (file) => !isSimulated(file), env: {} },
  { title: "simulated KSP", has: isSimulated, env: SIMULATED_KSP },
];

/** What Bun says of every folder that is on another file system. */
const NOISE = /^Internal error: directory mismatch.*\n/gm;

/**
 * The test files, or those whose path holds one of these texts.
 *
 * @param {readonly string[]} texts
 */
export function wineTestFiles(texts) {
  return filesBelow("tests/wine").filter((path) =>
    path.endsWith("_wine.ts") && (texts.length === 0 || texts.some((text) => path.includes(text)))
  );
}

/**
 * Runs test files on runtimes and writes a line for each runtime and tier.
 *
 * @param {readonly WindowsRuntime[]} runtimes
 * @param {readonly string[]} files
 * @param {{ all: readonly WindowsRuntime[], timeout: number }} options all there are, for processes
 *   that tests start; milliseconds that a file may take
 * @returns {Promise<WineResult>}
 */
export async function runWineSuite(runtimes, files, { all, timeout }) {
  const tiers = TIERS.map(({ title }) => ({ title, tally: sum([]) }));
  /** @type {Record<string, string[]>} */
  const names = { failed: [], skipped: [] };
  const emulator = files.some(isSimulated) ? await startEmulator() : undefined;
  const env = {
    ...runtimeEnvironment(all),
    ...(emulator === undefined ? {} : { KEYBOUND_EMULATOR: JSON.stringify(emulator.admin) }),
  };
  try {
    for (const runtime of runtimes) {
      for (const [i, tier] of TIERS.entries()) {
        const tally = sum([]);
        const start = performance.now();
        for (const file of files.filter(tier.has)) {
          const cases = await runFile(runtime, file, { env: { ...env, ...tier.env }, timeout });
          for (const { name, status } of cases) {
            tally[status]++;
            names[status]?.push(`${runtime.name} (${tier.title}) ${file}: ${name}`);
          }
        }
        if (closingLine(tally) === closingLine(sum([]))) continue;
        tiers[i] = { title: tier.title, tally: sum([tiers[i]?.tally ?? tally, tally]) };
        const seconds = ((performance.now() - start) / 1000).toFixed(1);
        const name = `${runtime.name.padEnd(8)}${runtime.version.padEnd(10)}${tier.title}: `;
        say(`${name}${closingLine(tally)}  (${seconds} s)`);
      }
    }
  } finally {
    emulator?.stop();
    sweep();
  }
  return { tiers, failed: names["failed"] ?? [], skipped: names["skipped"] ?? [] };
}

/**
 * @param {WindowsRuntime} runtime
 * @param {string} file
 * @param {{ env: Record<string, string>, timeout: number }} options
 * @returns {Promise<TestCase[]>}
 */
async function runFile(runtime, file, options) {
  const name = `${runtime.name}-${file.replaceAll("/", "-")}.xml`;
  const report = join(OUT, name);
  rmSync(report, { force: true });
  // Bun writes where an absolute path says, and nowhere else.
  const args = testArgs(runtime.kind, file, `Z:\\out\\${name}`);
  const { ok, output } = await runInChroot(["wine", runtime.program, ...args], options);
  const cases = existsSync(report) ? testCases(readFileSync(report, "utf8"), runtime.kind) : [];
  rmSync(report, { force: true });
  const hasFailed = () => cases.some(({ status }) => status === "failed");
  if (!hasFailed() && (!ok || cases.length === 0)) {
    cases.push({ name: ok ? "(no test was run)" : "(outside of a test)", status: "failed" });
  }
  if (hasFailed()) {
    const shown = withoutPasses(output.replaceAll(NOISE, "")).trim();
    say(`\n----- ${runtime.name} ${file}\n${shown}\n-----\n`);
  }
  return cases;
}

/**
 * @param {WindowsRuntime["kind"]} kind
 * @param {string} file
 * @param {string} report
 */
function testArgs(kind, file, report) {
  switch (kind) {
    case "node":
      return [
        "--test-reporter=spec",
        "--test-reporter-destination=stdout",
        "--test-reporter=junit",
        `--test-reporter-destination=${report}`,
        file,
      ];
    case "deno":
      return ["test", "-A", "--no-check", `--junit-path=${report}`, file];
    case "bun":
      return [
        "test",
        "--timeout=60000",
        "--reporter=junit",
        `--reporter-outfile=${report}`,
        `./${file}`,
      ];
  }
}
