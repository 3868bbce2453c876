/**
 * Programs that are run to their end, with a bound on how long that may take.
 *
 * @module
 */

import { spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";

/** Most of a program's output that is kept, in characters: the end of it. */
const OUTPUT_LIMIT = 4_000_000;
/** Milliseconds that the children of a program that has ended may go on writing. */
const GRACE = 2_000;

/**
 * @typedef {object} RunOptions
 * @property {string} [cwd] working directory
 * @property {NodeJS.ProcessEnv} [env] environment variables; this process's own by default
 * @property {number} [timeout] milliseconds after which the program and its children are killed
 * @property {string} [input] its standard input; nothing by default
 * @property {(line: string) => void} [onLine] is told of each line of its standard output at once
 */

/**
 * @typedef {object} RunResult
 * @property {boolean} ok whether it ended by itself with exit code 0
 * @property {string} stdout
 * @property {string} output standard output and standard error as they came
 * @property {number} seconds
 */

/** @type {Set<import("node:child_process").ChildProcess>} */
const running = new Set();

for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) {
  process.once(signal, () => {
    for (const child of running) end(child);
    process.exit(130);
  });
}

/**
 * Runs a program to its end. Never rejects: a program that doesn't start has an output that says so.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {RunOptions} [options]
 * @returns {Promise<RunResult>}
 */
export function run(command, args, options = {}) {
  const { cwd, env = process.env, timeout, input, onLine } = options;
  const start = performance.now();
  return new Promise((resolve) => {
    let stdout = "";
    let output = "";
    let ok = false;
    // A group of its own, so that its children can be ended with it.
    const child = spawn(command, args, {
      cwd,
      env,
      stdio: ["pipe", "pipe", "pipe"],
      detached: process.platform !== "win32",
      windowsHide: true,
    });
    running.add(child);
    // One that doesn't read to the end says so itself.
    child.stdin.on("error", () => {}).end(input);
    if (onLine !== undefined) createInterface({ input: child.stdout }).on("line", onLine);
    child.stdout.setEncoding("utf8").on("data", (text) => {
      stdout = (stdout + text).slice(-OUTPUT_LIMIT);
      output = (output + text).slice(-OUTPUT_LIMIT);
    });
    child.stderr.setEncoding("utf8").on("data", (text) => {
      output = (output + text).slice(-OUTPUT_LIMIT);
    });

    let timer = timeout === undefined ? undefined : setTimeout(() => {
      output += `\nKilled: not done after ${timeout / 1000} s.\n`;
      end(child);
    }, timeout);
    child.once("error", (error) => {
      output += `${command} doesn't start: ${error.message}\n`;
      settle();
    });
    child.once("exit", (code) => {
      clearTimeout(timer);
      ok = code === 0;
      timer = setTimeout(() => {
        end(child);
        child.stdout.destroy();
        child.stderr.destroy();
      }, GRACE);
    });
    child.once("close", settle);

    function settle() {
      clearTimeout(timer);
      running.delete(child);
      resolve({ ok, stdout, output, seconds: (performance.now() - start) / 1000 });
    }
  });
}

/**
 * Kills a program and its children.
 *
 * @param {import("node:child_process").ChildProcess} child
 */
function end(child) {
  if (child.pid === undefined) return;
  if (process.platform === "win32") {
    spawn("taskkill", ["/pid", String(child.pid), "/t", "/f"], { stdio: "ignore" });
    return;
  }
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // It has ended in the meantime.
  }
}
