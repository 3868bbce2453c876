/**
 * How programs and tests in TypeScript are run on each runtime.
 *
 * @module
 */

import process from "node:process";
import { pathToFileURL } from "node:url";
import { inProject } from "./project.mjs";

/**
 * @typedef {object} Runtime
 * @property {string} name `node20`, `deno`, `bun`
 * @property {"node" | "deno" | "bun"} kind
 * @property {string} version
 * @property {string} command absolute path of the executable
 * @property {readonly string[]} runArgs what goes before the path of a program in TypeScript
 * @property {(file: string, report: string) => string[]} testArgs runs a test file (relative path
 *   with slashes) and writes a JUnit report
 * @property {NodeJS.ProcessEnv} env environment variables it needs
 */

/**
 * @param {string} command absolute path of the executable
 * @param {string} version
 * @returns {Runtime}
 */
export function node(command, version) {
  const runArgs = stripsTypes(version) ? [] : ["--import", typescriptLoader()];
  return {
    name: `node${version.split(".")[0]}`,
    kind: "node",
    version,
    command,
    runArgs,
    testArgs: (file, report) => [
      ...runArgs,
      "--test-reporter=spec",
      "--test-reporter-destination=stdout",
      "--test-reporter=junit",
      `--test-reporter-destination=${report}`,
      file,
    ],
    env: compileCache(),
  };
}

/**
 * @param {string} command absolute path of the executable
 * @param {string} version
 * @param {string | undefined} servers absolute path of the Node for servers
 * @returns {Runtime}
 */
export function deno(command, version, servers) {
  return {
    name: "deno",
    kind: "deno",
    version,
    command,
    runArgs: ["run", "-A", "--no-check"],
    testArgs: (file, report) => ["test", "-A", "--no-check", `--junit-path=${report}`, file],
    env: {
      DENO_DIR: inProject(".runtimes", "deno-cache"),
      DENO_NO_UPDATE_CHECK: "1",
      ...nodeForServers(servers),
    },
  };
}

/**
 * @param {string} command absolute path of the executable
 * @param {string} version
 * @param {string | undefined} servers absolute path of the Node for servers
 * @returns {Runtime}
 */
export function bun(command, version, servers) {
  return {
    name: "bun",
    kind: "bun",
    version,
    command,
    runArgs: ["run"],
    testArgs: (file, report) => [
      "test",
      // Its own bound of 5 s a test is no test of anything on a busy machine.
      "--timeout=60000",
      "--reporter=junit",
      `--reporter-outfile=${report}`,
      `./${file}`,
    ],
    env: nodeForServers(servers),
  };
}

/**
 * The Node for the TLS servers of tests on Deno and Bun: theirs can't be made to misbehave.
 *
 * @param {string} [command] absolute path; by default this process's
 */
function nodeForServers(command = process.execPath) {
  return { KEYBOUND_NODE: command, ...compileCache() };
}

/** A process of Node 22 and later starts faster with what others have compiled before it. */
function compileCache() {
  return { NODE_COMPILE_CACHE: inProject(".runtimes", "compile-cache") };
}

/** @param {string} version */
function stripsTypes(version) {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > 23 || (major === 23 && minor >= 6) || (major === 22 && minor >= 18);
}

/** URL of what lets a Node before 22.18 run TypeScript. */
function typescriptLoader() {
  return pathToFileURL(inProject("tests", "support", "typescript_loader.mjs")).href;
}

/**
 * The name that people know it by.
 *
 * @param {"node" | "deno" | "bun"} kind
 */
export function titleOf(kind) {
  return { node: "Node", deno: "Deno", bun: "Bun" }[kind];
}
