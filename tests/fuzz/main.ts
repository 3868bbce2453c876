/**
 * Fuzzes for a while: `main.ts [entry ...] [--seconds n] [--seed n]`. `scripts/fuzz.mjs` starts it.
 *
 * @module
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { ENTRIES } from "./entries.ts";
import { corpusOf } from "./support/corpus.ts";
import { freshSeed } from "./support/random.ts";
import { FuzzFailure, runCampaign } from "./support/runner.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: "string", default: "10" },
    seed: { type: "string" },
  },
});

const names = positionals.length > 0 ? positionals : Object.keys(ENTRIES);
const unknown = names.find((name) => !Object.hasOwn(ENTRIES, name));
if (unknown !== undefined) {
  throw new Error(`There is no entry '${unknown}': ${Object.keys(ENTRIES).join(", ")}.`);
}
const seed = Number(values.seed ?? freshSeed());
const milliseconds = Number(values.seconds) * 1000;
if (!Number.isInteger(seed) || !(milliseconds > 0)) {
  throw new Error("--seed is a whole number, --seconds a positive one.");
}

console.log(`seed ${seed}, ${values.seconds} s for each entry`);
let failed = 0;
for (const name of names) {
  const entry = ENTRIES[name]!;
  const kept = corpusOf(name);
  const start = performance.now();
  const elapsed = () => performance.now() - start;
  try {
    const runs = await runCampaign(
      { name, entry, seeds: kept.map(({ data }) => data), seed },
      () => elapsed() < milliseconds,
    );
    const rate = Math.round(runs / (elapsed() / 1000));
    console.log(`${name.padEnd(20)}${kept.length} kept, ${runs} inputs, ${rate} a second`);
  } catch (error) {
    if (!(error instanceof FuzzFailure)) throw error;
    failed++;
    console.log(`${error.message}\n${(error.cause as Error)?.stack ?? ""}`);
  }
}
process.exitCode = failed === 0 ? 0 : 1;
