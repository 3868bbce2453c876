/**
 * `npm test`: everything that is checked, on every runtime. The last line is the sum.
 *
 * @module
 */

import { availableParallelism } from "node:os";
import process from "node:process";
import { parseArgs } from "node:util";
import { checks } from "./check.mjs";
import { coverageStep } from "./lib/coverage.mjs";
import { run } from "./lib/process.mjs";
import { CI, inProject } from "./lib/project.mjs";
import { runSteps } from "./lib/steps.mjs";
import { runSuite, testFiles } from "./lib/suite.mjs";
import { closingLine, exitCode, sum } from "./lib/tally.mjs";
import { say } from "./lib/terminal.mjs";
import { checkPackage } from "./package.mjs";
import { installDependencies, NODES, runtimes } from "./setup.mjs";
import { startWine, windowsTiers } from "./wine/gate.mjs";

const USAGE = `npm test [-- options] [-- text ...]

Checks the sources and the npm package, then runs tests/**/*_test.ts on Node ${NODES.join(", ")},
Deno and Bun; on a build server also tests/wine/*_wine.ts on the Windows builds under Wine
(npm run test:wine). With texts: only the test files whose path holds one of them, and no checks.

  --runtime <names>   only these, such as node22,deno; no checks
  --no-check          no checks
  --concurrency <n>   processes at a time (default: one a processor, at most 8)
  --timeout <s>       seconds that a test file may take (default: 120)`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runtime: { type: "string" },
    "no-check": { type: "boolean" },
    concurrency: { type: "string" },
    timeout: { type: "string", default: "120" },
    help: { type: "boolean", short: "h" },
  },
});

if (values.help) say(USAGE);
else await main();

async function main() {
  const concurrency = Number(values.concurrency ?? Math.min(availableParallelism(), 8));
  const names = values.runtime?.split(",");
  const files = testFiles(positionals);
  if (files.length === 0) {
    throw new Error(`No test file has ${positionals.join(" or ")} in its path.`);
  }

  await installDependencies();
  /** @type {string[]} */
  const skipped = [];
  const all = await runtimes({
    nodes: NODES.filter((major) => names === undefined || names.includes(`node${major}`)),
    onMissing: (name, reason) => skipped.push(`${name}: ${reason}`),
  });
  const chosen = all.filter(({ name }) => names === undefined || names.includes(name));
  const unknown = names?.filter((name) => !chosen.some((runtime) => runtime.name === name)) ?? [];
  if (unknown.length > 0) throw new Error(`There is no runtime ${unknown.join(", ")} here.`);

  const tallies = [{ passed: 0, failed: 0, skipped: skipped.length }];
  /** @type {string[]} */
  const failed = [];
  /** @param {{ tally: import("./lib/tally.mjs").Tally, failed: string[], skipped?: string[] }} result */
  const add = (result) => {
    tallies.push(result.tally);
    failed.push(...result.failed);
    skipped.push(...result.skipped ?? []);
  };

  const timeout = Number(values.timeout) * 1000;
  const isWhole = !values["no-check"] && names === undefined && positionals.length === 0;
  const runWine = isWhole ? startWine(timeout) : undefined;
  if (isWhole) {
    const deno = all.find(({ kind }) => kind === "deno");
    if (deno !== undefined) add(await runSteps(checks(deno), concurrency));
    add(await runSteps([coreSize(all), coverageStep(all)]));
    add(await checkPackage(chosen));
  }
  /** @type {import("./wine/suite.mjs").WineResult | undefined} */
  let wine;
  const beside = runWine === undefined ? [] : [async () => void (wine = await runWine())];
  const suite = await runSuite(chosen, files, { concurrency, timeout, beside });
  add(suite);
  if (wine !== undefined) add({ ...wine, tally: sum(wine.tiers.map((tier) => tier.tally)) });

  const tally = sum(tallies);
  list("Skipped", skipped);
  list("Failed", failed);
  if (isWhole) say(`\n${windowsTiers(suite.results, wine).join("\n")}`);
  if (CI && tally.skipped > 0) say("\nOn a build server nothing may be skipped.");
  say(`\n${closingLine(tally)}`);
  process.exitCode = exitCode(tally);
}

/**
 * @param {readonly import("./lib/runtime.mjs").Runtime[]} runtimes
 * @returns {import("./lib/steps.mjs").Step}
 */
function coreSize(runtimes) {
  return {
    name: "core under 15 kB gzip",
    measures: true,
    run: async () => {
      const node = runtimes.find(({ kind }) => kind === "node");
      if (node === undefined) throw new Error("No Node to run it on.");
      return await run(node.command, [...node.runArgs, inProject("bench", "size.ts")]);
    },
  };
}

/**
 * @param {string} title
 * @param {readonly string[]} names
 */
function list(title, names) {
  if (names.length > 0) say(`\n${title}:\n${names.map((name) => `  ${name}`).join("\n")}`);
}
