/**
 * `npm run check`: format, lint, types, documentation, and whether JSR would take the package.
 *
 * @module
 */

import process from "node:process";
import { generate } from "./docs.mjs";
import { run } from "./lib/process.mjs";
import { inProject, isProgram, readJson, ROOT } from "./lib/project.mjs";
import { runSteps } from "./lib/steps.mjs";
import { exitCode } from "./lib/tally.mjs";
import { installDependencies, runtimes } from "./setup.mjs";

/** @typedef {import("./lib/runtime.mjs").Runtime} Runtime */

/**
 * The checks.
 *
 * @param {Runtime} deno
 * @returns {import("./lib/steps.mjs").Step[]}
 */
export function checks(deno) {
  const { exports } = readJson(inProject("deno.json"));
  const entries = /** @type {string[]} */ (Object.values(exports));
  const env = { ...process.env, ...deno.env, NO_COLOR: "1" };
  /** @param {...string} args */
  const withDeno = (...args) => () => run(deno.command, args, { cwd: ROOT, env });
  /** @param {string} project */
  const withTypeScript = (project) => () =>
    run(process.execPath, [inProject("node_modules", "typescript", "bin", "tsc"), "-p", project], {
      cwd: ROOT,
    });
  return [
    { name: "deno check", run: withDeno("check") },
    { name: "deno fmt --check", run: withDeno("fmt", "--check") },
    { name: "deno lint", run: withDeno("lint") },
    { name: "deno doc --lint", run: withDeno("doc", "--lint", ...entries) },
    { name: "npm run docs -- --check", run: () => generate(deno, "--check") },
    {
      name: "deno publish --dry-run",
      // `deno check` has checked the types; this one looks at what is published and how.
      run: withDeno("publish", "--dry-run", "--allow-dirty", "--no-check"),
    },
    { name: "tsc -p tsconfig.json", run: withTypeScript("tsconfig.json") },
    { name: "tsc -p scripts/tsconfig.json", run: withTypeScript("scripts/tsconfig.json") },
  ];
}

if (isProgram(import.meta.url)) {
  await installDependencies();
  const deno = (await runtimes({ nodes: [] })).find(({ kind }) => kind === "deno");
  if (deno === undefined) {
    throw new Error("The checks need Deno, which this platform doesn't have.");
  }
  const { tally } = await runSteps(checks(deno), 2);
  process.exitCode = exitCode(tally);
}
