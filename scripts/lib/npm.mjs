/**
 * The npm command.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { run } from "./process.mjs";

/**
 * Runs npm.
 *
 * @param {readonly string[]} args
 * @param {import("./process.mjs").RunOptions} [options]
 */
export function npm(args, options = {}) {
  const script = npmScript();
  const env = withoutOuterNpm(options.env ?? process.env);
  return script === undefined
    ? run("npm", args, { ...options, env })
    : run(process.execPath, [script, ...args], { ...options, env });
}

/**
 * The script behind the command: the one that runs this process, or the one that came with this
 * Node. Windows' `npm.cmd` can't be started without a shell.
 */
function npmScript() {
  const directory = dirname(process.execPath);
  return [
    process.env["npm_execpath"],
    join(directory, "node_modules", "npm", "bin", "npm-cli.js"),
    join(directory, "..", "lib", "node_modules", "npm", "bin", "npm-cli.js"),
  ].find((path) => path !== undefined && basename(path) === "npm-cli.js" && existsSync(path));
}

/**
 * The environment without what `npm test` tells its scripts about this project and how silent it
 * is: an npm inside it would take that for its own.
 *
 * @param {NodeJS.ProcessEnv} env
 */
function withoutOuterNpm(env) {
  const outer = /^npm_(package_|lifecycle_|command$|config_(local_prefix|loglevel)$)/i;
  return Object.fromEntries(Object.entries(env).filter(([name]) => !outer.test(name)));
}
