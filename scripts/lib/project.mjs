/**
 * The project on this disk.
 *
 * @module
 */

import { readdirSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/** Absolute path of the project's root. */
export const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Whether this is a build server: what can't be run there counts as a failure. */
export const CI = process.env["CI"] === "true";

/**
 * Folders that are made, not written.
 *
 * @type {ReadonlySet<string>}
 */
const MADE = new Set([".git", ".runtimes", "coverage", "dist", "node_modules"]);

/**
 * The absolute path of a file of the project.
 *
 * @param {...string} parts
 */
export function inProject(...parts) {
  return join(ROOT, ...parts);
}

/**
 * Whether this module is the program that runs.
 *
 * @param {string} url its `import.meta.url`
 */
export function isProgram(url) {
  const program = process.argv[1];
  return program !== undefined && realpathSync(program) === fileURLToPath(url);
}

/**
 * What a JSON file holds.
 *
 * @param {string} path absolute
 */
export function readJson(path) {
  return JSON.parse(readFileSync(path, "utf8"));
}

/**
 * All files below a folder of the project, sorted: paths from the root, with slashes.
 *
 * @param {string} folder path from the root; `""` is the root itself
 * @returns {string[]}
 */
export function filesBelow(folder) {
  const entries = readdirSync(inProject(folder), { withFileTypes: true });
  return entries
    .filter((entry) => !MADE.has(entry.name))
    .flatMap((entry) => {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      return entry.isDirectory() ? filesBelow(path) : [path];
    })
    .sort();
}
