/**
 * The project's files, for tests that read them.
 *
 * @module
 */

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ROOT = new URL("../../../", import.meta.url);
/** Folders that are made, not written. */
const MADE = new Set([".git", ".runtimes", "coverage", "dist", "node_modules"]);

/** The text of a file; its path counts from the root. */
export function read(path: string): string {
  return readFileSync(fileURLToPath(new URL(path, ROOT)), "utf8");
}

/** What a JSON file holds; the caller knows its shape. */
export function readJson<T>(path: string): T {
  return JSON.parse(read(path)) as T;
}

/** The files of a folder and of those in it, sorted; `""` is the root. */
export function filesBelow(folder: string): string[] {
  const entries = readdirSync(fileURLToPath(new URL(folder, ROOT)), { withFileTypes: true });
  return entries
    .filter(({ name }) => !MADE.has(name))
    .flatMap((entry) => {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
      return entry.isDirectory() ? filesBelow(path) : [path];
    })
    .sort();
}

/** TypeScript sources by path: these files, and those below these folders. */
export function sources(paths: readonly string[]): Map<string, string> {
  const files = paths.flatMap((path) => path.endsWith(".ts") ? [path] : filesBelow(path));
  return new Map(
    files.filter((path) => path.endsWith(".ts")).map((path) => [path, read(path)]),
  );
}
