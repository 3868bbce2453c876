/**
 * Where the demo tells its story: the runtimes, and where the key is.
 *
 * @module
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { inProject } from "./project.mjs";
import { runtimes } from "./runtime.mjs";
import { titleOf } from "./runtime_commands.mjs";
import { createSoftHsmToken, createTpmToken } from "./tokens.mjs";

/**
 * @typedef {object} Stage
 * @property {string} title the runtime and its version
 * @property {(program: string, variables: Readonly<Record<string, string>>) => StageCommand}
 *   commandFor what runs a program of `demo/` on it
 */

/**
 * @typedef {object} StageCommand
 * @property {string} command
 * @property {readonly string[]} args
 * @property {NodeJS.ProcessEnv} env
 */

/**
 * @typedef {object} Place
 * @property {object | undefined} key where the key is, as the story reads it
 * @property {Readonly<Record<string, string>>} variables for the story's environment
 * @property {() => Promise<void>} close
 */

/**
 * @typedef {object} Folder
 * @property {string} path absolute, as the emulator sees it
 * @property {string} seen the same as the story sees it
 * @property {() => Promise<void>} remove
 */

/**
 * @typedef {object} Backend
 * @property {() => Promise<Stage[]>} stages
 * @property {() => Promise<Place>} open a new place for a key
 * @property {() => Promise<Folder>} folder one that emulator and story share
 * @property {() => void} [end] takes away what the stories left behind
 */

/**
 * Where the key can be, by the name that `--backend` takes.
 *
 * @type {Readonly<Record<string, () => Promise<Backend>>>}
 */
export const BACKENDS = {
  software: () =>
    here(() => Promise.resolve({ key: undefined, variables: {}, close: () => Promise.resolve() })),
  softhsm: () => here(() => inToken("softhsm", createSoftHsmToken)),
  tpm: () => here(() => inToken("tpm", createTpmToken)),
  wine: async () => (await import("../wine/stages.mjs")).underWine(),
};

/**
 * The runtimes of this host.
 *
 * @param {Backend["open"]} open
 * @returns {Promise<Backend>}
 */
async function here(open) {
  return await Promise.resolve({ stages, open, folder });
}

/** @returns {Promise<Stage[]>} */
async function stages() {
  return (await runtimes()).map(({ kind, version, command, runArgs, env }) => ({
    title: `${titleOf(kind)} ${version}`,
    commandFor: (program, variables) => ({
      command,
      args: [...runArgs, inProject("demo", program)],
      env: { ...process.env, ...env, ...variables },
    }),
  }));
}

/**
 * @param {string} backend
 * @param {() => Promise<import("./tokens.mjs").Token>} create
 * @returns {Promise<Place>}
 */
async function inToken(backend, create) {
  const { library, label, pin, env, destroy } = await create();
  return { key: { backend, library, label, pin }, variables: env, close: destroy };
}

/** @returns {Promise<Folder>} */
async function folder() {
  const path = await mkdtemp(join(tmpdir(), "keybound-demo-"));
  return { path, seen: path, remove: () => rm(path, { recursive: true, force: true }) };
}
