/**
 * A program as a bundler makes it: minified, what is imported when it is used in files of its own.
 *
 * @module
 */

import { build, type Metafile } from "esbuild";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { gzipSync } from "node:zlib";

/** A bundle on disk. */
export interface Bundle {
  /** Absolute path of its first file. */
  readonly file: string;
  /** Bytes of all that is loaded with that, each file compressed; the runtime's own modules aside. */
  readonly size: number;
}

/** Bundles a program that imports from `directory` into the folder `output`. */
export async function bundle(source: string, directory: string, output: string): Promise<Bundle> {
  const { metafile } = await build({
    stdin: { contents: source, resolveDir: directory, sourcefile: "main.mjs" },
    bundle: true,
    minify: true,
    splitting: true,
    format: "esm",
    platform: "node",
    // Optional packages of backends that nobody here uses.
    external: ["koffi"],
    // Packages in CommonJS ask for the runtime's modules by a `require` that ESM doesn't have.
    banner: {
      js: 'import{createRequire as __c}from"node:module";const require=__c(import.meta.url);',
    },
    outdir: output,
    outExtension: { ".js": ".mjs" },
    metafile: true,
  });
  const entries = Object.entries(metafile.outputs);
  const [entry] = entries.find(([, { entryPoint }]) => entryPoint?.endsWith("main.mjs"))!;
  const sizes = loaded(entry, metafile.outputs)
    .map((path) => gzipSync(readFileSync(path), { level: 9 }).length);
  return { file: resolve(entry), size: sizes.reduce((sum, size) => sum + size, 0) };
}

/** This file and what it imports at once. */
function loaded(entry: string, outputs: Metafile["outputs"]): string[] {
  const found = new Set([entry]);
  for (const path of found) {
    for (const { kind, path: imported } of outputs[path]!.imports) {
      if (kind === "import-statement" && imported in outputs) found.add(imported);
    }
  }
  return [...found];
}
