/**
 * What programs for Windows need to run under Wine, and what they leave behind.
 *
 * @module
 */

import { rmSync } from "node:fs";
import { join } from "node:path";
import { CHROOT } from "./environment.mjs";

/** @typedef {import("./setup.mjs").WindowsRuntime} WindowsRuntime */

/** What Deno leaves behind at each run: a copy of itself of 97 MB. */
const LEFT_BY_DENO = "prefix/drive_c/users/root/AppData/Local/deno/node_compat_bin";

/**
 * Environment variables for programs of the project: the Node for servers, and all runtimes to start
 * other processes on.
 *
 * @param {readonly WindowsRuntime[]} all
 * @returns {Record<string, string>}
 */
export function runtimeEnvironment(all) {
  const node = all.findLast(({ kind }) => kind === "node");
  if (node === undefined) throw new Error("There is no Node for Windows.");
  return {
    KEYBOUND_NODE: node.program,
    KEYBOUND_RUNTIMES: JSON.stringify(all.map(({ kind, program }) => ({ kind, program }))),
    DENO_DIR: "Z:\\out\\deno",
    DENO_NO_UPDATE_CHECK: "1",
  };
}

/** Takes away what programs have left behind. None may be running. */
export function sweep() {
  rmSync(join(CHROOT, LEFT_BY_DENO), { recursive: true, force: true });
}
