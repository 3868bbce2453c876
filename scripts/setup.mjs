/**
 * Makes the project ready to work: its development dependencies and the runtimes.
 *
 * `node scripts/setup.mjs` does so for this Node, Deno and Bun; `--all` adds the other versions of
 * Node that the tests run on. Everything comes from npm and stays in this folder.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { installDependencies } from "./lib/dependencies.mjs";
import { isProgram } from "./lib/project.mjs";
import { runtimes } from "./lib/runtime.mjs";
import { say } from "./lib/terminal.mjs";

export { installDependencies, runtimes };

/** The major versions of Node that the project supports and tests. */
export const NODES = [20, 22, 24];

if (isProgram(import.meta.url)) {
  const { values } = parseArgs({ options: { all: { type: "boolean" } } });
  await installDependencies();
  for (const { name, version } of await runtimes(values.all ? { nodes: NODES } : {})) {
    say(`${name.padEnd(8)}${version}`);
  }
}
