/**
 * `npm run demo [-- --flow NAME] [--backend NAME] [--json]`: a token bound to a key, from end to end, on Node, Deno and Bun, against
 * the emulator; and four ways in which a binding breaks and heals.
 *
 * With `--json`, standard output is one JSON object a runtime; progress goes to standard error.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { installDependencies } from "./lib/dependencies.mjs";
import { FLOWS } from "./lib/flows/mod.mjs";
import { inProject } from "./lib/project.mjs";
import { runtimes } from "./lib/runtime.mjs";
import { say, useStandardError } from "./lib/terminal.mjs";
import { createSoftHsmToken, createTpmToken } from "./lib/tokens.mjs";

/** @typedef {import("./lib/flows/mod.mjs").Flow} Flow */
/** @typedef {import("./lib/runtime.mjs").Runtime} Runtime */

/** Milliseconds that one runtime may take. */
const LIMIT = 120_000;

/**
 * Where the key can be, by the name that `--backend` takes.
 *
 * @type {Readonly<Record<string, { create?: () => Promise<import("./lib/tokens.mjs").Token> }>>}
 */
const BACKENDS = {
  software: {},
  softhsm: { create: createSoftHsmToken },
  tpm: { create: createTpmToken },
};

const { values } = parseArgs({
  options: {
    json: { type: "boolean" },
    flow: { type: "string", default: "managed-identity" },
    backend: { type: "string", default: "software" },
  },
});
const flow = FLOWS[values.flow];
if (flow === undefined) throw new Error(`--flow is one of ${Object.keys(FLOWS).join(", ")}.`);
const backend = BACKENDS[values.backend];
if (backend === undefined || (values.backend !== "software" && !flow.takesBackend)) {
  throw new Error(
    `--backend is one of ${Object.keys(BACKENDS).join(", ")}, with the flow that has one.`,
  );
}
if (values.json) useStandardError();

await installDependencies();
const all = await runtimes();
let failed = false;
say("keybound: access tokens bound to a key of this machine");
if (flow.usesEmulator) await withEmulator(tellAll);
else await tellAll({});
say(failed ? "\nSomething above is not as it should be." : "\nAll as it should be.");
process.exitCode = failed ? 1 : 0;

/**
 * Tells the story on every runtime.
 *
 * @param {object} input what it reads
 */
async function tellAll(input) {
  for (const runtime of all) {
    const results = await withToken(
      (token, env) => tell(/** @type {Flow} */ (flow), runtime, { ...input, token }, env),
    );
    for (const result of values.json ? results : []) {
      process.stdout.write(`${JSON.stringify(result)}\n`);
    }
    if (results.length === 0 || !results.every(/** @type {Flow} */ (flow).isGood)) failed = true;
  }
}

/**
 * Does `work` with a new token, where keys are to be in one.
 *
 * @template T
 * @param {(token: object | undefined, env: Readonly<Record<string, string>>) => Promise<T>} work
 */
async function withToken(work) {
  if (backend?.create === undefined) return await work(undefined, {});
  const { library, label, pin, env, destroy } = await backend.create();
  try {
    return await work({ backend: values.backend, library, label, pin }, env);
  } finally {
    await destroy();
  }
}

/**
 * Does `work` while an emulator runs.
 *
 * @param {(input: object) => Promise<void>} work
 */
async function withEmulator(work) {
  const arcDirectory = await mkdtemp(join(tmpdir(), "keybound-arc-"));
  const emulator = startEmulator(/** @type {Runtime} */ (all.find(({ kind }) => kind === "node")), {
    arcChallengeDirectory: arcDirectory,
    arcAnnouncedDirectory: "/var/opt/azcmagent/tokens",
  });
  try {
    const { addresses, admin } = await emulator.ready;
    say("\nThe emulator plays Azure on loopback ports:");
    say(`  metadata service   ${addresses.metadata}`);
    say(`  token endpoint     ${addresses.mtls}  (mutual TLS)`);
    say(`  resource server    ${addresses.resource}  (mutual TLS)`);
    await work({ admin, arcDirectory });
  } finally {
    emulator.stop();
    await rm(arcDirectory, { recursive: true, force: true });
  }
}

/**
 * The emulator in a process of its own, which ends with this one.
 *
 * @param {Runtime} node
 * @param {object} options as `startEmulator` of `keybound/emulator` takes them
 */
function startEmulator({ command, runArgs }, options) {
  const program = inProject("emulator", "main.ts");
  const args = [...runArgs, program, "--until-stdin-ends", "--options", JSON.stringify(options)];
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"], cwd: inProject() });
  const ready = new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).once("line", (line) => resolve(JSON.parse(line)));
    child.once("exit", () => reject(new Error("The emulator didn't start.")));
    child.once("error", reject);
  });
  return { ready, stop: () => child.stdin.end() };
}

/**
 * Runs a story on a runtime and shows it as it unfolds; no results if it didn't come to its end.
 *
 * @param {Flow} flow
 * @param {Runtime} runtime
 * @param {object} input what the story reads
 * @param {Readonly<Record<string, string>>} variables for its environment
 */
async function tell(
  { program, linesOf },
  { kind, version, command, runArgs, env },
  input,
  variables,
) {
  say(`\n${kind === "node" ? "Node" : kind === "deno" ? "Deno" : "Bun"} ${version}`);
  const child = spawn(command, [...runArgs, inProject("demo", program)], {
    stdio: ["pipe", "pipe", "inherit"],
    cwd: inProject(),
    env: { ...process.env, ...env, ...variables },
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), LIMIT);
  child.stdin.end(JSON.stringify(input));
  const results = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const told = JSON.parse(line);
    if (told.result !== undefined) results.push(told.result);
    for (const shown of linesOf(told)) say(`  ${shown}`);
  }
  clearTimeout(timer);
  const status = child.exitCode ?? await new Promise((resolve) => child.once("exit", resolve));
  if (status === 0) return results;
  say("  The story broke off.");
  return [];
}
