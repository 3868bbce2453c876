/**
 * `npm run test:wine`: runs tests/wine/*_wine.ts on the Windows builds of Node 22, Node 24, Deno and
 * Bun under Wine. The last line is the sum.
 *
 * What passes here has been shown for Wine's SChannel, CryptoAPI and CNG, not for Windows'. Files
 * named `*_simulated_wine.ts` run with the simulated KSP (`double.mjs`) instead of Wine's ncrypt.dll,
 * and are counted as a tier of their own.
 *
 * @module
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { closingLine, exitCode, sum } from "../lib/tally.mjs";
import { say } from "../lib/terminal.mjs";
import { lockWine } from "./lock.mjs";
import { setUpWine } from "./setup.mjs";
import { runWineSuite, wineTestFiles } from "./suite.mjs";

const USAGE = `npm run test:wine [-- options] [-- text ...]

Runs tests/wine/*_wine.ts under Wine; with texts, those whose path holds one of them. Sets Wine up
first where it isn't: about a minute and 3 GB in your cache.

  --runtime <names>   only these, such as node24,deno
  --timeout <s>       seconds that a test file may take (default: 120)`;

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
  const files = wineTestFiles(positionals);
  if (files.length === 0) throw new Error("There is no such test file.");
  const names = values.runtime?.split(",");
  const release = await lockWine();
  const all = await setUpWine();
  const chosen = all.filter(({ name }) => names === undefined || names.includes(name));
  const timeout = Number(values.timeout) * 1000;
  const { tiers } = await runWineSuite(chosen, files, { all, timeout }).finally(release);
  const tally = sum(tiers.map((tier) => tier.tally));
  say("\nUnder Wine 10: not verified on Windows itself.");
  for (const tier of tiers) say(`${tier.title}: ${closingLine(tier.tally)}`);
  say(closingLine(tally));
  process.exitCode = exitCode(tally);
}
