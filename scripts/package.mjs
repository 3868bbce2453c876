/**
 * Whether the npm package does what it promises: packed, installed into an empty folder and used
 * there on every runtime. `node scripts/package.mjs [--output <folder>]` runs this alone, and leaves
 * the tarball that passed and its bill of materials in the folder.
 *
 * @module
 */

import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { build } from "./build.mjs";
import {
  BOUND_FETCH,
  BOUND_FETCH_WITH_THREAD,
  COMMAND_LINE,
  EMULATOR_WITHOUT_PEERS,
  importsAll,
  usesTypes,
} from "./lib/consumer.mjs";
import { npm } from "./lib/npm.mjs";
import { run } from "./lib/process.mjs";
import { inProject, isProgram, readJson, ROOT } from "./lib/project.mjs";
import { runSteps } from "./lib/steps.mjs";
import { testEnvironment } from "./lib/suite.mjs";
import { exitCode } from "./lib/tally.mjs";
import { writeSbom } from "./sbom.mjs";
import { installDependencies, NODES, runtimes } from "./setup.mjs";

/** @typedef {import("./lib/runtime.mjs").Runtime} Runtime */
/** @typedef {{ ok: boolean, output: string }} Outcome */

/** Milliseconds that a program of the consumer may take. */
const TIMEOUT = 120_000;
const RESOLUTIONS = /** @type {const} */ (["nodenext", "bundler"]);
/** Entries whose declarations name types of Node or of an optional peer. */
const TYPES_NEED_PEERS =
  /\/(agent|azure|emulator|msal-node|openssl|opentelemetry|resource|schannel|resource\/node)$/;
const INSTALL = ["install", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"];

/**
 * Packs, installs and uses the package.
 *
 * @param {readonly Runtime[]} runtimes
 * @param {string} [output] folder for the tarball and its bill of materials, once nothing has failed
 */
export async function checkPackage(runtimes, output) {
  const folder = mkdtempSync(join(tmpdir(), "keybound-package-"));
  const consumer = join(folder, "consumer");
  mkdirSync(consumer);
  writeFileSync(join(consumer, "package.json"), '{ "private": true, "type": "module" }\n');
  try {
    const tarball = join(folder, tarballOf(readJson(inProject("package.json"))));
    const result = await runSteps(stepsIn(folder, consumer, runtimes, tarball));
    if (output !== undefined && result.failed.length === 0) {
      for (const file of [tarball, writeSbom(tarball).path]) {
        cpSync(file, join(output, basename(file)));
      }
    }
    return result;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {{ name: string, version: string }} manifest */
function tarballOf({ name, version }) {
  return `${name}-${version}.tgz`;
}

/**
 * @param {string} folder
 * @param {string} consumer
 * @param {readonly Runtime[]} runtimes
 * @param {string} tarball
 * @returns {import("./lib/steps.mjs").Step[]}
 */
function stepsIn(folder, consumer, runtimes, tarball) {
  const manifest = readJson(inProject("package.json"));
  const entries = Object.keys(manifest.exports)
    .filter((path) => path !== "./package.json")
    .map((path) => manifest.name + path.slice(1));
  const withoutPeers = entries.filter((entry) => !TYPES_NEED_PEERS.test(entry));
  const peers = [...Object.keys(manifest.peerDependencies), "@types/node"]
    .map((name) => `${name}@${manifest.devDependencies[name]}`);
  /**
   * @param {string} name
   * @param {string} text
   */
  const onEachRuntime = (name, text) =>
    runtimes.map((runtime) => ({
      name: `package: ${name}, ${runtime.name}`,
      run: () => runProgram(consumer, runtime, text),
    }));
  return [
    { name: "package: build", run: build },
    { name: "package: pack", run: () => pack(folder, manifest) },
    {
      name: "package: install",
      run: () => npm([...INSTALL, tarball], { cwd: consumer }),
    },
    { name: "package: bill of materials", run: () => Promise.resolve(billOfMaterials(tarball)) },
    ...onEachRuntime("imports", importsAll(entries)),
    ...onEachRuntime("emulator without its packages", EMULATOR_WITHOUT_PEERS),
    ...RESOLUTIONS.map((resolution) => ({
      name: `package: types, ${resolution}`,
      run: () => compile(consumer, resolution, [], usesTypes(withoutPeers)),
    })),
    {
      name: "package: install the optional peers",
      run: () => npm([...INSTALL, ...peers], { cwd: consumer }),
    },
    ...RESOLUTIONS.map((resolution) => ({
      name: `package: types with the peers', ${resolution}`,
      run: () => compile(consumer, resolution, ["node"], usesTypes(entries)),
    })),
    ...onEachRuntime("bound fetch", BOUND_FETCH),
    ...onEachRuntime("bound fetch with a thread", BOUND_FETCH_WITH_THREAD),
    ...onEachRuntime("command line", COMMAND_LINE),
  ];
}

/**
 * Packs the package and looks at what is in it.
 *
 * @param {string} folder
 * @param {{ files: string[] }} manifest
 * @returns {Promise<Outcome>}
 */
async function pack(folder, manifest) {
  const packed = await npm(["pack", "--ignore-scripts", "--json", "--pack-destination", folder], {
    cwd: ROOT,
  });
  if (!packed.ok) return packed;
  const [{ files }] = /** @type {[{ files: { path: string }[] }]} */ (JSON.parse(packed.stdout));
  const paths = files.map(({ path }) => path);
  const documents = manifest.files.filter((path) => path !== "dist");
  const isMeant = (/** @type {string} */ path) =>
    path === "package.json" || documents.includes(path) ||
    (/^dist\/.*\.(js|d\.ts)$/.test(path) && !/(^|\/)tests?\/|_test\./.test(path));
  const faults = [
    ...paths.filter((path) => !isMeant(path)).map((path) => `${path} doesn't belong there.`),
    ...documents.filter((path) => !paths.includes(path)).map((path) => `${path} is missing.`),
    ...paths.filter((path) => path.endsWith(".js") && importsTypeScript(path))
      .map((path) => `${path} imports TypeScript.`),
  ];
  return { ok: faults.length === 0, output: faults.join("\n") };
}

/**
 * Writes it twice.
 *
 * @param {string} tarball
 * @returns {Outcome}
 */
function billOfMaterials(tarball) {
  const { path, faults } = writeSbom(tarball);
  const first = readFileSync(path, "utf8");
  writeSbom(tarball);
  const isSame = readFileSync(path, "utf8") === first;
  const hosts = first.match(/https?:[^"]*/g) ?? [];
  const all = [
    ...faults,
    ...(isSame ? [] : ["The same tarball has another bill of materials."]),
    ...hosts.map((host) => `It names ${host}.`),
  ];
  return { ok: all.length === 0, output: all.join("\n") };
}

/** @param {string} path */
function importsTypeScript(path) {
  return /(from|import)\s*\(?\s*"\.[^"]*\.ts"/.test(readFileSync(inProject(path), "utf8"));
}

/**
 * Runs a program in the consumer's folder.
 *
 * @param {string} consumer
 * @param {Runtime} runtime
 * @param {string} text
 */
function runProgram(consumer, { command, kind, env }, text) {
  const program = join(consumer, "program.mjs");
  writeFileSync(program, text);
  const args = kind === "deno" ? ["run", "-A", "--no-check", program] : [program];
  return run(command, args, {
    cwd: consumer,
    env: { ...testEnvironment(process.env), ...env },
    timeout: TIMEOUT,
  });
}

/**
 * Compiles a program in the consumer's folder, declarations of the package included.
 *
 * @param {string} consumer
 * @param {typeof RESOLUTIONS[number]} resolution how modules are found
 * @param {readonly string[]} types packages of global types that are there
 * @param {string} text
 */
function compile(consumer, resolution, types, text) {
  const tsc = inProject("node_modules", "typescript", "bin", "tsc");
  const compilerOptions = {
    target: "ES2022",
    lib: ["ES2022", "ESNext.Disposable", "DOM", "DOM.Iterable"],
    module: resolution === "nodenext" ? "NodeNext" : "ESNext",
    moduleResolution: resolution,
    types,
    strict: true,
    skipLibCheck: false,
    noEmit: true,
  };
  writeFileSync(join(consumer, "program.ts"), text);
  writeFileSync(
    join(consumer, "tsconfig.json"),
    JSON.stringify({ compilerOptions, files: ["program.ts"] }),
  );
  return run(process.execPath, [tsc, "-p", consumer], { cwd: consumer, timeout: TIMEOUT });
}

if (isProgram(import.meta.url)) {
  const { values } = parseArgs({ options: { output: { type: "string" } } });
  const output = values.output === undefined ? undefined : resolve(values.output);
  await installDependencies();
  const { tally } = await checkPackage(await runtimes({ nodes: NODES }), output);
  process.exitCode = exitCode(tally);
}
