/**
 * Writes the generated documents, or says with `--check` which of them are stale. Runs on Deno.
 *
 * @module
 */

import { execFile, spawn } from "node:child_process";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { readJson, sources } from "../../tests/package/support/project.ts";
import { apiPages } from "./api.ts";
import { withDiagrams } from "./diagrams.ts";
import type { DocOutput } from "./doc_nodes.ts";
import { errorCodes } from "./error_codes.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const ARCHITECTURE = "docs/architecture.md";
const API = "docs/api";

interface Configuration {
  readonly exports: Readonly<Record<string, string>>;
  readonly publish: { readonly include: readonly string[] };
}

const { exports, publish } = readJson<Configuration>("deno.json");
const documents = await formatted(
  new Map([...await reference(), [ARCHITECTURE, await architecture()]]),
);
if (process.argv.includes("--check")) await check();
else await write();

async function reference(): Promise<Map<string, string>> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["doc", "--json", ...Object.values(exports)],
    { cwd: ROOT, maxBuffer: 64 * 1024 * 1024 },
  );
  const output = JSON.parse(stdout) as DocOutput;
  if (output.version !== 2) throw new Error(`deno doc writes version ${output.version}, not 2.`);
  const codes = errorCodes(await readFile(join(ROOT, "src/errors.ts"), "utf8"));
  return apiPages({ output, exports, codes });
}

async function architecture(): Promise<string> {
  const paths = publish.include.filter((path) => !/\.(json|md)$|^LICENSE$/.test(path));
  return withDiagrams(await readFile(join(ROOT, ARCHITECTURE), "utf8"), sources(paths));
}

async function check(): Promise<void> {
  const stale: string[] = [];
  for (const [path, text] of documents) {
    if (await readFile(join(ROOT, path), "utf8").catch(() => "") !== text) stale.push(path);
  }
  stale.push(...await strays());
  for (const path of stale) console.error(`${path} is stale. Run 'npm run docs'.`);
  if (stale.length > 0) process.exitCode = 1;
  else console.log(`${documents.size} generated documents are as the sources say.`);
}

async function write(): Promise<void> {
  for (const path of await strays()) await rm(join(ROOT, path));
  for (const [path, text] of documents) {
    await mkdir(dirname(join(ROOT, path)), { recursive: true });
    await writeFile(join(ROOT, path), text);
  }
  console.log(`Wrote ${documents.size} documents.`);
}

/** Pages of entry points that are gone. */
async function strays(): Promise<string[]> {
  const files = await readdir(join(ROOT, API)).catch(() => []);
  return files.map((file) => `${API}/${file}`).filter((path) => !documents.has(path));
}

async function formatted(texts: ReadonlyMap<string, string>): Promise<Map<string, string>> {
  const pairs = await Promise.all(
    [...texts].map(async ([path, text]) => [path, await format(text)] as const),
  );
  return new Map(pairs);
}

async function format(text: string): Promise<string> {
  const child = spawn(process.execPath, ["fmt", "--ext", "md", "-"], {
    cwd: ROOT,
    stdio: ["pipe", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (piece: string) => output += piece);
  child.stdin.end(text);
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  if (code !== 0) throw new Error("deno fmt doesn't take a page.");
  return output;
}
