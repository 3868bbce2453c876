/**
 * What a program pays for the import: time over an empty program, packages as they are installed,
 * and bytes where it is bundled; against msal-node and azure-identity.
 *
 * @module
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Bundle, bundle } from "./support/bundle.ts";
import { interleavedTimes, median } from "./support/measure.ts";
import { buildPackage } from "./support/packages.ts";
import { runProgram } from "./support/programs.ts";
import { Report } from "./support/report.ts";

const ROUNDS = 9;
const WARM_UP = 2;

const CORE = 'export { managedIdentity } from "./keybound/mod.js";\n';
/** What gets a token of a managed identity, and nothing else. */
const SOURCES = {
  empty: "",
  core: CORE,
  "core and detect": `${CORE}export { detect } from "./keybound/backends/detect.js";\n`,
  "@azure/msal-node": 'export { ManagedIdentityApplication } from "@azure/msal-node";\n',
  "@azure/identity": 'export { ManagedIdentityCredential } from "@azure/identity";\n',
};
type Name = keyof typeof SOURCES;

const OURS = ["core", "core and detect"] as const;
const PEERS = ["@azure/msal-node", "@azure/identity"] as const;

const report = new Report();
const installed = await buildPackage();
const bundles = await mkdtemp(join(tmpdir(), "keybound-bench-"));
try {
  const asInstalled = await programs();
  const bundled = await allBundles();
  const files = (Object.keys(SOURCES) as Name[]).flatMap((name) => [
    asInstalled[name],
    bundled[name].file,
  ]);
  const time = await importTimes(asInstalled.empty, files);
  for (const name of OURS) {
    for (const peerName of PEERS) {
      const [ours, peer] = [time.get(asInstalled[name])!, time.get(asInstalled[peerName])!];
      const aim = name === "core" && peerName === PEERS[0] ? { target: { atMost: 0.1 } } : {};
      report.tell({ bench: `import, ${name}`, ours, peer, peerName, unit: "ms", ...aim });
      report.tell({
        bench: `import, ${name}, bundled`,
        ours: time.get(bundled[name].file)!,
        peer: time.get(bundled[peerName].file)!,
        peerName,
        unit: "ms",
      });
      report.tell({
        bench: `bundle, ${name}`,
        ours: bundled[name].size,
        peer: bundled[peerName].size,
        peerName,
        unit: "bytes gzip",
      });
    }
  }
} finally {
  await installed.remove();
  await rm(bundles, { recursive: true, force: true });
}
report.finish();

async function programs(): Promise<Record<Name, string>> {
  const names = Object.keys(SOURCES) as Name[];
  const paths = names.map(async (name, i) => [
    name,
    await installed.program(`program_${i}.mjs`, SOURCES[name]),
  ]);
  return Object.fromEntries(await Promise.all(paths)) as Record<Name, string>;
}

async function allBundles(): Promise<Record<Name, Bundle>> {
  const names = Object.keys(SOURCES) as Name[];
  const made = names.map(async (name, i) => [
    name,
    await bundle(SOURCES[name], installed.directory, join(bundles, `${i}`)),
  ]);
  return Object.fromEntries(await Promise.all(made)) as Record<Name, Bundle>;
}

/** Medians of milliseconds over the empty program of the same round, by file. */
async function importTimes(empty: string, files: readonly string[]): Promise<Map<string, number>> {
  const taken = await interleavedTimes(
    ROUNDS,
    WARM_UP,
    [empty, ...files].map((file) => () => runProgram(file, installed.directory)),
  );
  const [base, ...others] = taken;
  return new Map(
    files.map((file, i) => [file, median(others[i]!.map((ms, round) => ms - base![round]!))]),
  );
}
