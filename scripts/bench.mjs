/**
 * `npm run bench [-- name ...] [-- --json] [--runtime node22,deno]`: the benchmarks of `bench/`, all
 * or those named, on this Node or on the runtimes given. Ends with an error where one does.
 *
 * @module
 */

import { spawnSync } from "node:child_process";
import process from "node:process";
import { parseArgs } from "node:util";
import { filesBelow, inProject, ROOT } from "./lib/project.mjs";
import { say, useStandardError } from "./lib/terminal.mjs";
import { installDependencies, NODES, runtimes } from "./setup.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: "boolean" }, runtime: { type: "string" } },
});

const benchmarks = filesBelow("bench").filter((file) => /^bench\/\w+\.ts$/.test(file));
const chosen = positionals.length === 0 ? benchmarks : positionals.map((name) => {
  const file = `bench/${name}.ts`;
  if (benchmarks.includes(file)) return file;
  throw new Error(`There is no benchmark '${name}': ${benchmarks.join(", ")}.`);
});

if (values.json) useStandardError();
await installDependencies();
const names = values.runtime?.split(",");
const all = await runtimes(names === undefined ? {} : { nodes: NODES });
const on = names === undefined ? all.slice(0, 1) : all.filter(({ name }) => names.includes(name));
let failed = on.length === 0;
for (const { name, version, command, runArgs, env } of on) {
  for (const file of chosen) {
    if (!values.json) say(`\n${file} on ${name} ${version}`);
    const args = [...runArgs, inProject(file), ...(values.json ? ["--json"] : [])];
    const { status } = spawnSync(command, args, {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio: "inherit",
    });
    failed ||= status !== 0;
  }
}
process.exitCode = failed ? 1 : 0;
