/**
 * `npm run demo [-- --json]`: a token bound to a key, from end to end, on Node, Deno and Bun, against
 * the emulator; and four ways in which a binding breaks and heals.
 *
 * With `--json`, standard output is one JSON object a runtime; progress goes to standard error.
 *
 * @module
 */

import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { installDependencies } from "./lib/dependencies.mjs";
import { inProject } from "./lib/project.mjs";
import { runtimes } from "./lib/runtime.mjs";
import { say, useStandardError } from "./lib/terminal.mjs";
import { isGood, lineOf } from "./lib/timeline.mjs";

/** @typedef {import("./lib/runtime.mjs").Runtime} Runtime */

/** Milliseconds that one runtime may take. */
const LIMIT = 120_000;

const { values } = parseArgs({ options: { json: { type: "boolean" } } });
if (values.json) useStandardError();

await installDependencies();
const all = await runtimes();
const emulator = startEmulator(/** @type {Runtime} */ (all.find(({ kind }) => kind === "node")));
let failed = false;
try {
  const { addresses, admin } = await emulator.ready;
  say("keybound: access tokens bound to a key of this machine\n");
  say("The emulator plays Azure on loopback ports:");
  say(`  metadata service   ${addresses.metadata}`);
  say(`  token endpoint     ${addresses.mtls}  (mutual TLS)`);
  say(`  resource server    ${addresses.resource}  (mutual TLS)`);
  for (const runtime of all) {
    const result = await tell(runtime, admin);
    if (values.json && result !== undefined) process.stdout.write(`${JSON.stringify(result)}\n`);
    if (result === undefined || !isGood(result)) failed = true;
  }
  say(failed ? "\nSomething above is not as it should be." : "\nAll as it should be.");
} finally {
  emulator.stop();
}
process.exitCode = failed ? 1 : 0;

/**
 * The emulator in a process of its own, which ends with this one.
 *
 * @param {Runtime} node
 */
function startEmulator({ command, runArgs }) {
  const args = [...runArgs, inProject("emulator", "main.ts"), "--until-stdin-ends"];
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"], cwd: inProject() });
  const ready = new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).once("line", (line) => resolve(JSON.parse(line)));
    child.once("exit", () => reject(new Error("The emulator didn't start.")));
    child.once("error", reject);
  });
  return { ready, stop: () => child.stdin.end() };
}

/**
 * Runs the story on a runtime and shows it as it unfolds; `undefined` if it didn't come to its end.
 *
 * @param {Runtime} runtime
 * @param {object} admin
 */
async function tell({ kind, version, command, runArgs, env }, admin) {
  say(`\n${kind === "node" ? "Node" : kind === "deno" ? "Deno" : "Bun"} ${version}`);
  const child = spawn(command, [...runArgs, inProject("demo", "story.ts")], {
    stdio: ["pipe", "pipe", "inherit"],
    cwd: inProject(),
    env: { ...process.env, ...env },
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), LIMIT);
  child.stdin.end(JSON.stringify(admin));
  let result;
  for await (const line of createInterface({ input: child.stdout })) {
    const step = JSON.parse(line);
    if (step.result !== undefined) result = step.result;
    else say(`  ${lineOf(step)}`);
  }
  clearTimeout(timer);
  if (result === undefined) say("  The story broke off.");
  return result;
}
