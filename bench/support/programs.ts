/**
 * Programs run to their end on the runtime that measures.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import process from "node:process";

const { bun, deno } = process.versions;
/** What stands between the runtime's name and the program's. */
const RUN = deno ? ["run", "-A", "--no-check"] : bun ? ["run"] : [];

/** Runs a JavaScript file with this folder as the working directory. Throws where it fails. */
export function runProgram(file: string, directory: string): void {
  execFileSync(process.execPath, [...RUN, file], { cwd: directory, stdio: "pipe" });
}
