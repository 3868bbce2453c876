/**
 * `npm run build [-- --code <folder>]`: the npm package's JavaScript and declarations, in `dist/`; or
 * the JavaScript alone, elsewhere.
 *
 * @module
 */

import { existsSync, readdirSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { bundle, CHUNKS } from "./lib/bundle.mjs";
import { run } from "./lib/process.mjs";
import { inProject, isProgram, readJson, ROOT } from "./lib/project.mjs";
import { say } from "./lib/terminal.mjs";
import { installDependencies } from "./setup.mjs";

/** What `dist/` consists of; anything else there isn't meant to be published. */
const CONTENTS = [
  "backends",
  CHUNKS,
  "cli",
  "emulator",
  "mod.d.ts",
  "mod.js",
  "plugins",
  "resource",
  "src",
];
/** Modules that are started by their path, not imported. */
const PROGRAMS = ["backends/openssl/handshake_worker.ts", "cli/main.ts", "emulator/main.ts"];

/**
 * Builds anew.
 *
 * @returns {Promise<{ ok: boolean, output: string }>}
 */
export async function build() {
  rmSync(inProject("dist"), { recursive: true, force: true });
  const tsc = inProject("node_modules", "typescript", "bin", "tsc");
  const declared = await run(process.execPath, [tsc, "-p", "tsconfig.build.json"], { cwd: ROOT });
  if (!declared.ok) return declared;
  const faults = [
    ...await buildCode(inProject("dist")),
    ...faultsOf(readJson(inProject("package.json")).exports),
  ];
  return outcome(faults);
}

/**
 * The JavaScript.
 *
 * @param {string} folder absolute
 * @returns {Promise<string[]>} what is wrong with it
 */
function buildCode(folder) {
  const entries = /** @type {string[]} */ (Object.values(readJson(inProject("deno.json")).exports));
  return bundle([...entries.map((path) => path.replace(/^\.\//, "")), ...PROGRAMS], folder);
}

/**
 * What is missing in `dist/` or doesn't belong there.
 *
 * @param {Record<string, string | Record<string, string>>} exports
 */
function faultsOf(exports) {
  const targets = Object.values(exports).flatMap((target) =>
    typeof target === "string" ? [target] : Object.values(target)
  );
  return [
    ...targets
      .filter((target) => !existsSync(inProject(target)))
      .map((target) => `package.json exports ${target}, which isn't there.`),
    ...readdirSync(inProject("dist"))
      .filter((name) => !CONTENTS.includes(name))
      .map((name) => `dist/${name} doesn't belong there.`),
  ];
}

/** @param {readonly string[]} faults */
function outcome(faults) {
  return { ok: faults.length === 0, output: faults.join("\n") };
}

if (isProgram(import.meta.url)) {
  const { values } = parseArgs({ options: { code: { type: "string" } } });
  await installDependencies();
  const { ok, output } = values.code === undefined
    ? await build()
    : outcome(await buildCode(resolve(values.code)));
  if (!ok) say(output);
  process.exitCode = ok ? 0 : 1;
}
