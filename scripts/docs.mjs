/**
 * `npm run docs [-- --check]`: writes the reference and the diagrams from the sources, or fails where
 * they are stale.
 *
 * @module
 */

import process from "node:process";
import { run } from "./lib/process.mjs";
import { inProject, isProgram, ROOT } from "./lib/project.mjs";
import { installDependencies, runtimes } from "./setup.mjs";

/** @typedef {import("./lib/runtime.mjs").Runtime} Runtime */

/**
 * Runs the generator.
 *
 * @param {Runtime} deno
 * @param {...string} args
 */
export async function generate(deno, ...args) {
  return await run(deno.command, [
    "run",
    "-A",
    "--quiet",
    inProject("scripts/docs/main.ts"),
    ...args,
  ], {
    cwd: ROOT,
    env: { ...process.env, ...deno.env, NO_COLOR: "1" },
  });
}

if (isProgram(import.meta.url)) {
  await installDependencies();
  const deno = (await runtimes({ nodes: [] })).find(({ kind }) => kind === "deno");
  if (deno === undefined) {
    throw new Error("The documents need Deno, which this platform doesn't have.");
  }
  const { ok, output } = await generate(deno, ...process.argv.slice(2));
  process.stdout.write(output);
  process.exitCode = ok ? 0 : 1;
}
