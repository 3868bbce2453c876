/**
 * The development dependencies: `node_modules` as package-lock.json wants it.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { npm } from "./npm.mjs";
import { inProject, readJson, ROOT } from "./project.mjs";
import { withHeartbeat } from "./terminal.mjs";

/**
 * @typedef {object} LockEntry
 * @property {string} [version]
 * @property {string} [integrity]
 * @property {boolean} [optional]
 * @property {boolean} [devOptional]
 * @property {boolean} [peer]
 */

/** @typedef {{ packages?: Record<string, LockEntry> }} Lock */

/** Installs the dependencies where they are missing or not those of package-lock.json. */
export async function installDependencies() {
  const installed = inProject("node_modules", ".package-lock.json");
  const lock = readJson(inProject("package-lock.json"));
  if (existsSync(installed) && isCurrent(lock, readJson(installed))) return;
  const { ok, output } = await withHeartbeat(
    "Installing the development dependencies",
    // None of them needs its install script, and what doesn't run can't do harm.
    () => npm(["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: ROOT }),
  );
  if (!ok) throw new Error(`The development dependencies can't be installed:\n${output}`);
}

/**
 * Whether npm's record of what it installed is what the lock file asks for. Packages of other
 * platforms may be missing.
 *
 * @param {Lock} lock package-lock.json
 * @param {Lock} installed node_modules/.package-lock.json
 */
export function isCurrent(lock, installed) {
  const wanted = lock.packages ?? {};
  const present = installed.packages ?? {};
  const complete = Object.entries(wanted).every(([path, { optional, devOptional }]) =>
    path === "" || optional || devOptional || present[path] !== undefined
  );
  return complete &&
    Object.entries(present).every(([path, { version, integrity }]) =>
      wanted[path]?.version === version && wanted[path]?.integrity === integrity
    );
}
