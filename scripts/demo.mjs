/**
 * `npm run demo [-- --flow NAME] [--backend NAME] [--json]`: a token bound to a key, from end to end, on Node, Deno and Bun, against
 * the emulator; and four ways in which a binding breaks and heals.
 *
 * With `--json`, standard output is one JSON object a runtime; progress goes to standard error.
 *
 * @module
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { installDependencies } from "./lib/dependencies.mjs";
import { startEmulator } from "./lib/emulator.mjs";
import { FLOWS } from "./lib/flows/mod.mjs";
import { run } from "./lib/process.mjs";
import { inProject } from "./lib/project.mjs";
import { BACKENDS } from "./lib/stages.mjs";
import { say, useStandardError } from "./lib/terminal.mjs";

/** @typedef {import("./lib/flows/mod.mjs").Flow} Flow */
/** @typedef {import("./lib/stages.mjs").Backend} Backend */
/** @typedef {import("./lib/stages.mjs").Stage} Stage */

/** Milliseconds that one runtime may take. */
const LIMIT = 120_000;

const { values } = parseArgs({
  options: {
    json: { type: "boolean" },
    flow: { type: "string", default: "managed-identity" },
    backend: { type: "string", default: "software" },
  },
});
const flow = FLOWS[values.flow];
if (flow === undefined) throw new Error(`--flow is one of ${Object.keys(FLOWS).join(", ")}.`);
const load = BACKENDS[values.backend];
if (load === undefined || (values.backend !== "software" && !flow.takesBackend)) {
  throw new Error(
    `--backend is one of ${Object.keys(BACKENDS).join(", ")}, with the flow that has one.`,
  );
}
if (values.json) useStandardError();

await installDependencies();
const backend = await load();
const stages = await backend.stages();
say("keybound: access tokens bound to a key of this machine");
let failed = false;
try {
  await (flow.usesEmulator ? withEmulator : withoutAny)(backend, async (input) => {
    for (const stage of stages) failed = !await tellOn(flow, backend, stage, input) || failed;
  });
} finally {
  backend.end?.();
}
say(failed ? "\nSomething above is not as it should be." : "\nAll as it should be.");
process.exitCode = failed ? 1 : 0;

/**
 * Does `work` while an emulator runs.
 *
 * @param {Backend} backend
 * @param {(input: object) => Promise<void>} work what it reads tells where the emulator is
 */
async function withEmulator(backend, work) {
  const folder = await backend.folder();
  const { addresses, admin, stop } = await startEmulator({
    arcChallengeDirectory: folder.path,
    arcAnnouncedDirectory: "/var/opt/azcmagent/tokens",
  });
  try {
    say("\nThe emulator plays Azure on loopback ports:");
    say(`  metadata service   ${addresses.metadata}`);
    say(`  token endpoint     ${addresses.mtls}  (mutual TLS)`);
    say(`  resource server    ${addresses.resource}  (mutual TLS)`);
    await work({ admin, arcDirectory: folder.seen });
  } finally {
    stop();
    await folder.remove();
  }
}

/**
 * @param {Backend} _backend
 * @param {(input: object) => Promise<void>} work
 */
async function withoutAny(_backend, work) {
  await work({});
}

/**
 * Tells the story on a runtime, with a new place for its key, and shows it as it unfolds. Gives
 * whether all was as it should be.
 *
 * @param {Flow} flow
 * @param {Backend} backend
 * @param {Stage} stage
 * @param {object} input what the story reads
 */
async function tellOn({ program, linesOf, isGood }, backend, { title, commandFor }, input) {
  say(`\n${title}`);
  const { key, variables, close } = await backend.open();
  /** @type {any[]} */
  const results = [];
  try {
    const { command, args, env } = commandFor(program, variables);
    const { ok, output } = await run(command, args, {
      cwd: inProject(),
      env,
      timeout: LIMIT,
      input: JSON.stringify({ ...input, token: key }),
      onLine(line) {
        const told = JSON.parse(line);
        if (told.result !== undefined) results.push(told.result);
        for (const shown of linesOf(told)) say(`  ${shown}`);
      },
    });
    if (!ok) say(`  The story broke off.\n${withoutResults(output)}`);
    for (const result of values.json && ok ? results : []) {
      process.stdout.write(`${JSON.stringify(result)}\n`);
    }
    return ok && results.length > 0 && results.every(isGood);
  } finally {
    await close();
  }
}

/**
 * What a program said besides its lines of JSON.
 *
 * @param {string} output
 */
function withoutResults(output) {
  return output.split("\n").filter((line) => !line.startsWith("{")).join("\n").trim();
}
