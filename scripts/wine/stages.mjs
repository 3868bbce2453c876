/**
 * The demo under Wine: the Windows builds of Node, Deno and Bun, with keys in the simulated KSP.
 *
 * @module
 */

import { mkdtemp, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { titleOf } from "../lib/runtime_commands.mjs";
import { chrootCommand, OUT, SIMULATED_KSP } from "./environment.mjs";
import { lockWine } from "./lock.mjs";
import { runtimeEnvironment, sweep } from "./programs.mjs";
import { setUpWine } from "./setup.mjs";

/** @typedef {import("./setup.mjs").WindowsRuntime} WindowsRuntime */

/** How each runtime runs a program in TypeScript. */
const RUN = { node: [], deno: ["run", "-A", "--no-check"], bun: ["run"] };

/**
 * Sets Wine up where it isn't.
 *
 * @returns {Promise<import("../lib/stages.mjs").Backend>}
 */
export async function underWine() {
  const release = await lockWine();
  const all = await setUpWine();
  return {
    stages: () => Promise.resolve(all.map((runtime) => stageOn(runtime, all))),
    open: () =>
      Promise.resolve({
        key: { backend: "wine", tier: "simulated KSP" },
        variables: {},
        close: () => Promise.resolve(),
      }),
    async folder() {
      const path = await mkdtemp(join(OUT, "demo-"));
      const remove = () => rm(path, { recursive: true, force: true });
      return { path, seen: `Z:\\out\\${basename(path)}`, remove };
    },
    end() {
      sweep();
      release();
    },
  };
}

/**
 * @param {WindowsRuntime} runtime
 * @param {readonly WindowsRuntime[]} all
 * @returns {import("../lib/stages.mjs").Stage}
 */
function stageOn({ kind, version, program: executable }, all) {
  return {
    title: `${titleOf(kind)} ${version} for Windows, under Wine`,
    commandFor: (program) =>
      chrootCommand(["wine", executable, ...RUN[kind], `demo/${program}`], {
        ...runtimeEnvironment(all),
        ...SIMULATED_KSP,
      }),
  };
}
