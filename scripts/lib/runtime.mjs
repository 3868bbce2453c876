/**
 * The runtimes that tests, benchmarks and the demo run on.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { npm } from "./npm.mjs";
import { run } from "./process.mjs";
import { CI, inProject, readJson } from "./project.mjs";
import { bun, deno, node } from "./runtime_commands.mjs";
import { bunPackages, denoPackages, nodePackages, thisPlatform } from "./runtime_packages.mjs";
import { say, withHeartbeat } from "./terminal.mjs";

/** @typedef {import("./runtime_packages.mjs").RuntimePackage} RuntimePackage */
/** @typedef {import("./runtime_commands.mjs").Runtime} Runtime */

/**
 * @typedef {object} RuntimesOptions
 * @property {readonly number[]} [nodes] major versions of Node; by default that of this process
 * @property {(name: string, reason: string) => void} [onMissing] is told of a runtime that this
 *   platform doesn't have; by default that is written, and an error on a build server
 */

/** Milliseconds that a runtime has to say its version. */
const START_TIMEOUT = 60_000;

/**
 * Node in the versions asked for, Deno and Bun; what isn't there is installed.
 *
 * @param {RuntimesOptions} [options]
 * @returns {Promise<Runtime[]>}
 */
export async function runtimes(options = {}) {
  const { nodes = [Number(process.versions.node.split(".")[0])], onMissing = report } = options;
  const platform = thisPlatform();
  const { devDependencies } = readJson(inProject("package.json"));
  /** @type {Runtime[]} */
  const found = [];
  /**
   * @param {string} name
   * @param {Runtime | undefined} runtime
   */
  const add = (name, runtime) => {
    if (runtime !== undefined) found.push(runtime);
    else onMissing(name, `no npm package has it for ${platform.os} ${platform.arch}`);
  };
  for (const major of nodes) {
    const own = mayServe(major) ? node(process.execPath, process.versions.node) : undefined;
    add(`node${major}`, own ?? await find(nodePackages(major, platform), node));
  }
  // The newest starts fastest.
  const servers = found.at(-1)?.command;
  const [ofDeno, ofBun] = [
    denoPackages(devDependencies.deno, platform),
    bunPackages(devDependencies.bun, platform),
  ];
  add("deno", await find(ofDeno, (command, version) => deno(command, version, servers)));
  add("bun", await find(ofBun, (command, version) => bun(command, version, servers)));
  return found;
}

/**
 * @param {string} name
 * @param {string} reason
 */
function report(name, reason) {
  if (CI) throw new Error(`${name} is missing: ${reason}.`);
  say(`${name} is left out: ${reason}.`);
}

/**
 * Whether this process's Node may serve as that version: it must run TypeScript as the others do.
 *
 * @param {number} major
 */
function mayServe(major) {
  const [ownMajor, minor] = process.versions.node.split(".").map(Number);
  return ownMajor === major && (major !== 22 || Number(minor) >= 18);
}

/**
 * The first of these that runs; installed where it isn't there.
 *
 * @param {readonly RuntimePackage[]} candidates best first
 * @param {(command: string, version: string) => Runtime} runtime
 * @returns {Promise<Runtime | undefined>} `undefined` without candidates
 */
async function find(candidates, runtime) {
  let failure;
  for (const candidate of candidates) {
    const command = installed(candidate) ?? await install(candidate);
    const { ok, stdout, output } = await run(command, ["--version"], { timeout: START_TIMEOUT });
    if (ok && stdout.includes(candidate.version)) return runtime(command, candidate.version);
    failure = `${command} doesn't run:\n${output}`;
  }
  if (failure !== undefined) throw new Error(failure);
  return undefined;
}

/**
 * The executable of a package that is installed.
 *
 * @param {RuntimePackage} wanted
 */
function installed({ name, version, program }) {
  for (const directory of [inProject("node_modules", name), ownDirectory({ name, version })]) {
    const command = join(directory, program);
    if (existsSync(command) && readJson(join(directory, "package.json")).version === version) {
      return command;
    }
  }
  return undefined;
}

/**
 * Installs a package beside the project's dependencies.
 *
 * @param {RuntimePackage} wanted
 */
async function install({ name, version, program }) {
  const prefix = ownPrefix({ name, version });
  const options = ["--ignore-scripts", "--no-save", "--no-package-lock", "--no-audit", "--no-fund"];
  const { ok, output } = await withHeartbeat(
    `Installing ${name} ${version}`,
    () => npm(["install", "--prefix", prefix, ...options, `${name}@${version}`]),
  );
  const command = join(ownDirectory({ name, version }), program);
  if (!ok || !existsSync(command)) {
    throw new Error(`${name} ${version} can't be installed:\n${output}`);
  }
  return command;
}

/**
 * A folder for each version of each package: npm takes away what it didn't install itself.
 *
 * @param {{ name: string, version: string }} wanted
 */
function ownPrefix({ name, version }) {
  return inProject(".runtimes", `${name.replace("/", "+")}@${version}`);
}

/** @param {{ name: string, version: string }} wanted */
function ownDirectory({ name, version }) {
  return join(ownPrefix({ name, version }), "node_modules", name);
}
