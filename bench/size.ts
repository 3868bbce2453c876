/**
 * The size of the core: what `managedIdentity` brings along, bundled, minified and compressed, and
 * which module has which share of it. Fails above the budget.
 *
 * @module
 */

import { build } from "esbuild";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { runtime } from "./support/report.ts";

/** Most bytes of the bundle after gzip. */
const BUDGET = 15_000;

const { outputFiles, metafile } = await build({
  stdin: {
    contents: 'export { managedIdentity } from "./mod.ts";',
    resolveDir: fileURLToPath(new URL("..", import.meta.url)),
  },
  bundle: true,
  minify: true,
  format: "esm",
  platform: "neutral",
  // A neutral platform has no main fields of its own.
  mainFields: ["module", "main"],
  write: false,
  metafile: true,
});
const minified = outputFiles[0]!.contents;
const size = gzipSync(minified, { level: 9 }).length;

if (process.argv.includes("--json")) {
  console.log(JSON.stringify({
    bench: "core-size",
    runtime,
    ours: size,
    peer: BUDGET,
    peerName: "budget",
    unit: "bytes gzip",
    ratio: Number((size / BUDGET).toFixed(3)),
  }));
} else {
  for (const [path, bytes] of shares()) {
    const share = `${(100 * bytes / minified.length).toFixed(1)} %`;
    console.log(`${share.padStart(7)} ${String(bytes).padStart(7)}  ${path}`);
  }
  console.log(`minified ${minified.length} bytes, gzip ${size} bytes, budget ${BUDGET} bytes`);
}
process.exitCode = size > BUDGET ? 1 : 0;

/** Modules and their minified bytes, largest first. */
function shares(): [string, number][] {
  return Object.values(metafile.outputs)
    .flatMap(({ inputs }) => Object.entries(inputs))
    .map(([path, { bytesInOutput }]): [string, number] => [path, bytesInOutput])
    .filter(([, bytes]) => bytes > 0)
    .sort(([, a], [, b]) => b - a);
}
