/**
 * Running a program, bounded.
 *
 * @module
 */

import { execFile } from "node:child_process";
import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { CliRun } from "./answer.ts";

/** Most bytes of output that are read. */
const MAX_OUTPUT = 262_144;

/** The runtime's code for more than that. */
const TOO_MUCH = "ERR_CHILD_PROCESS_STDIO_MAXBUFFER";

/** Whether there is a file at this path; what can't be seen isn't there. */
export async function fileExists(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/**
 * How the program ended, `undefined` where it can't be started. Runs in the program's own folder, so
 * that nothing of the working directory is loaded, without a shell and without input; killed when
 * the signal is aborted or it prints more than 256 KiB, which counts as a failure. Rejects with the
 * signal's reason, and with the runtime's own error where it isn't allowed to start programs.
 */
export function run(
  program: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<CliRun | undefined> {
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, {
      cwd: dirname(program),
      maxBuffer: MAX_OUTPUT,
      windowsHide: true,
      signal,
      killSignal: "SIGKILL",
    }, (error, output, errors) => {
      if (signal.aborted) return reject(signal.reason);
      if (error === null) return resolve({ status: 0, output, errors });
      const { code } = error;
      const isKilled = Boolean(error.signal) || code === TOO_MUCH;
      if (isKilled) resolve({ status: undefined, output, errors });
      else if (typeof code === "number") resolve({ status: code, output, errors });
      else if (typeof code === "string") resolve(undefined);
      else reject(error);
    });
    child.stdin?.end();
  });
}
