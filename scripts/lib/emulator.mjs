/**
 * The emulator in a process of its own, for programs that are started by scripts.
 *
 * @module
 */

import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { inProject } from "./project.mjs";
import { node } from "./runtime_commands.mjs";

/**
 * @typedef {object} RunningEmulator
 * @property {{ metadata: string, mtls: string, resource: string }} addresses URLs
 * @property {{ url: string, secret: string }} admin what `connectEmulator` takes
 * @property {() => void} stop
 */

/**
 * Starts an emulator, on the Node of this process. It ends with this process at the latest.
 *
 * @param {object} [options] as `startEmulator` of `keybound/emulator` takes them
 * @returns {Promise<RunningEmulator>}
 */
export function startEmulator(options = {}) {
  const { command, runArgs } = node(process.execPath, process.versions.node);
  const program = inProject("emulator", "main.ts");
  const args = [...runArgs, program, "--until-stdin-ends", "--options", JSON.stringify(options)];
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"], cwd: inProject() });
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).once("line", (line) => {
      const { addresses, admin } = JSON.parse(line);
      resolve({ addresses, admin, stop: () => child.stdin.end() });
    });
    child.once("exit", () => reject(new Error("The emulator didn't start.")));
    child.once("error", reject);
  });
}
