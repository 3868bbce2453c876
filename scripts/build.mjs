/**
 * `npm run build`: the npm package's JavaScript and declarations, in `dist/`.
 *
 * @module
 */

import { existsSync, readdirSync, rmSync } from "node:fs";
import process from "node:process";
import { run } from "./lib/process.mjs";
import { inProject, isProgram, readJson, ROOT } from "./lib/project.mjs";
import { say } from "./lib/terminal.mjs";
import { installDependencies } from "./setup.mjs";

/** What `dist/` consists of; anything else there isn't meant to be published. */
const CONTENTS = [
  "backends",
  "cli",
  "emulator",
  "mod.d.ts",
  "mod.js",
  "plugins",
  "resource",
  "src",
];

/**
 * Builds anew.
 *
 * @returns {Promise<{ ok: boolean, output: string }>}
 */
export async function build() {
  rmSync(inProject("dist"), { recursive: true, force: true });
  const tsc = inProject("node_modules", "typescript", "bin", "tsc");
  const compiled = await run(process.execPath, [tsc, "-p", "tsconfig.build.json"], { cwd: ROOT });
  if (!compiled.ok) return compiled;
  const faults = faultsOf(readJson(inProject("package.json")).exports);
  return { ok: faults.length === 0, output: faults.join("\n") };
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

if (isProgram(import.meta.url)) {
  await installDependencies();
  const { ok, output } = await build();
  if (!ok) say(output);
  process.exitCode = ok ? 0 : 1;
}
