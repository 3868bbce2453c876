/**
 * The package as it is installed, and its neighbours beside it: a folder of its own that shares the
 * project's `node_modules`.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A folder in which `./keybound/mod.js` and all packages of the project can be imported. */
export interface BuiltPackage {
  /** Its absolute path. */
  readonly directory: string;
  /** Writes a program and gives its path. */
  program(name: string, text: string): Promise<string>;
  /** Removes it. */
  remove(): Promise<void>;
}

/** Builds the package's code in a temporary folder, as it is published. */
export async function buildPackage(): Promise<BuiltPackage> {
  const directory = await mkdtemp(join(tmpdir(), "keybound-bench-"));
  const node = process.env["KEYBOUND_NODE"] ??
    (process.versions["bun"] || process.versions["deno"] ? "node" : process.execPath);
  const output = join(directory, "keybound");
  execFileSync(node, [join(ROOT, "scripts", "build.mjs"), "--code", output], { stdio: "pipe" });
  await symlink(join(ROOT, "node_modules"), join(directory, "node_modules"), "junction");
  await writeFile(join(directory, "package.json"), '{ "type": "module" }\n');
  return {
    directory,
    async program(name, text) {
      const path = join(directory, name);
      await writeFile(path, text);
      return path;
    },
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}
