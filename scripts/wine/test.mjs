/**
 * `npm run test:wine`: runs tests/wine/*_wine.ts on the Windows builds of Node 22, Node 24, Deno and
 * Bun under Wine. The last line is the sum.
 *
 * What passes here has been shown for Wine's SChannel, CryptoAPI and CNG, not for Windows'.
 *
 * @module
 */

import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { testCases } from "../lib/junit.mjs";
import { filesBelow } from "../lib/project.mjs";
import { withoutPasses } from "../lib/suite.mjs";
import { closingLine, exitCode, sum } from "../lib/tally.mjs";
import { say } from "../lib/terminal.mjs";
import { CHROOT, OUT, runInChroot } from "./environment.mjs";
import { setUpWine } from "./setup.mjs";

/** @typedef {import("./setup.mjs").WindowsRuntime} WindowsRuntime */
/** @typedef {import("../lib/tally.mjs").Tally} Tally */

const USAGE = `npm run test:wine [-- options] [-- text ...]

Runs tests/wine/*_wine.ts under Wine; with texts, those whose path holds one of them. Sets Wine up
first where it isn't: about a minute and 2 GB in your cache.

  --runtime <names>   only these, such as node24,deno
  --timeout <s>       seconds that a test file may take (default: 120)`;

/** What Bun says of every folder that is on another file system. */
const NOISE = /^Internal error: directory mismatch.*\n/gm;

/** What Deno leaves behind at each run: a copy of itself of 97 MB. */
const LEFT_BY_DENO = "prefix/drive_c/users/root/AppData/Local/deno/node_compat_bin";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runtime: { type: "string" },
    timeout: { type: "string", default: "120" },
    help: { type: "boolean", short: "h" },
  },
});

if (values.help) say(USAGE);
else await main();

async function main() {
  const files = filesBelow("tests/wine").filter((path) =>
    path.endsWith("_wine.ts") &&
    (positionals.length === 0 || positionals.some((text) => path.includes(text)))
  );
  if (files.length === 0) throw new Error("There is no such test file.");
  const names = values.runtime?.split(",");
  const all = await setUpWine();
  const chosen = all.filter(({ name }) => names === undefined || names.includes(name));
  const servers = /** @type {WindowsRuntime} */ (all.findLast(({ kind }) => kind === "node"));

  /** @type {Tally[]} */
  const tallies = [];
  try {
    for (const runtime of chosen) {
      const results = [];
      for (const file of files) results.push(await runFile(runtime, file, servers.program));
      const tally = sum(results);
      tallies.push(tally);
      say(`${runtime.name.padEnd(8)}${runtime.version.padEnd(10)}${closingLine(tally)}`);
    }
  } finally {
    rmSync(join(CHROOT, LEFT_BY_DENO), { recursive: true, force: true });
  }
  const tally = sum(tallies);
  say("\nUnder Wine 10: not verified on Windows itself.");
  say(closingLine(tally));
  process.exitCode = exitCode(tally);
}

/**
 * @param {WindowsRuntime} runtime
 * @param {string} file
 * @param {string} node the Node for the servers of tests, as Windows sees it
 * @returns {Promise<Tally>}
 */
async function runFile(runtime, file, node) {
  const name = `${runtime.name}-${file.replaceAll("/", "-")}.xml`;
  const report = join(OUT, name);
  rmSync(report, { force: true });
  // Bun writes where an absolute path says, and nowhere else.
  const args = testArgs(runtime.kind, file, `Z:\\out\\${name}`);
  const { ok, output } = await runInChroot(["wine", runtime.program, ...args], {
    env: { KEYBOUND_NODE: node, DENO_DIR: "Z:\\out\\deno", DENO_NO_UPDATE_CHECK: "1" },
    timeout: Number(values.timeout) * 1000,
  });
  const cases = existsSync(report) ? testCases(readFileSync(report, "utf8"), runtime.kind) : [];
  rmSync(report, { force: true });
  const tally = { passed: 0, failed: 0, skipped: 0 };
  for (const { status } of cases) tally[status]++;
  if (tally.failed === 0 && (!ok || cases.length === 0)) tally.failed++;
  if (tally.failed > 0) {
    say(
      `\n----- ${runtime.name} ${file}\n${
        withoutPasses(output.replaceAll(NOISE, "")).trim()
      }\n-----\n`,
    );
  }
  return tally;
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
