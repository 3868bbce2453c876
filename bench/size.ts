/**
 * The size of the core: what `managedIdentity` brings along, bundled, minified and compressed, and
 * which module has which share of it. Fails above the budget.
 *
 * @module
 */

import { build } from "esbuild";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { Report } from "./support/report.ts";

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

const report = new Report();
for (const [path, bytes] of shares()) {
  const share = `${(100 * bytes / minified.length).toFixed(1)} %`;
  report.note(`${share.padStart(7)} ${String(bytes).padStart(7)}  ${path}`);
}
report.note(`minified ${minified.length} bytes`);
report.tell({
  bench: "core size",
  ours: size,
  peer: BUDGET,
  peerName: "budget",
  unit: "bytes gzip",
  target: { atMost: 1 },
});
report.finish();

/** Modules and their minified bytes, largest first. */
function shares(): [string, number][] {
  return Object.values(metafile.outputs)
    .flatMap(({ inputs }) => Object.entries(inputs))
    .map(([path, { bytesInOutput }]): [string, number] => [path, bytesInOutput])
    .filter(([, bytes]) => bytes > 0)
    .sort(([, a], [, b]) => b - a);
}
