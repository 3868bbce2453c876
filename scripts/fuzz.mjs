/**
 * `npm run fuzz [-- entry ...] [--seconds n] [--seed n] [--runtime name]`: feeds the readers of bytes
 * from outside, all or those named, with damaged inputs: 10 seconds each by default, on the newest
 * Node. A failure ends with an error and says which input led to it.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import process from "node:process";
import { parseArgs } from "node:util";
import { inProject, ROOT } from "./lib/project.mjs";
import { installDependencies, NODES, runtimes } from "./setup.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: "string", default: "10" },
    seed: { type: "string" },
    runtime: { type: "string" },
  },
});

await installDependencies();
const all = await runtimes({ nodes: NODES });
const wanted = values.runtime ?? all.filter(({ kind }) => kind === "node").at(-1)?.name;
const runtime = all.find(({ name }) => name === wanted);
if (runtime === undefined) throw new Error(`There is no runtime ${wanted} here.`);
const { status } = spawnSync(runtime.command, [
  ...runtime.runArgs,
  inProject("tests", "fuzz", "main.ts"),
  ...positionals,
  "--seconds",
  values.seconds,
  ...(values.seed === undefined ? [] : ["--seed", values.seed]),
], { cwd: ROOT, env: { ...process.env, ...runtime.env }, stdio: "inherit" });
process.exitCode = status ?? 1;
