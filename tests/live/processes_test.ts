/**
 * Processes that share a directory share one key and one certificate.
 *
 * @module
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { type Emulator, spawnEmulator } from "../../emulator/mod.ts";

const PROGRAM = fileURLToPath(new URL("support/one_token.ts", import.meta.url));
const PROCESSES = 16;

let emulator: Emulator;
let directory: string;

before(async () => {
  emulator = await spawnEmulator();
  directory = await mkdtemp(join(tmpdir(), "keybound-processes-"));
});
after(async () => {
  await emulator.close();
  await rm(directory, { recursive: true, force: true });
});

/** The arguments that run a program in TypeScript on the runtime of this test. */
function runArgs(): string[] {
  if ("Deno" in globalThis) return ["run", "-A", "--no-check"];
  const [major] = process.versions.node.split(".").map(Number);
  const loads = process.versions.bun === undefined && major! < 22;
  return loads ? ["--import", "tsx"] : [];
}

function oneToken(): Promise<string> {
  const child = spawn(process.execPath, [...runArgs(), PROGRAM], {
    stdio: ["pipe", "pipe", "inherit"],
    cwd: fileURLToPath(new URL("../..", import.meta.url)),
  });
  child.stdin.end(JSON.stringify({ directory, metadata: emulator.metadata, ca: emulator.ca }));
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text) => output += text);
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once(
      "close",
      (code) => code === 0 ? resolve(output.trim()) : reject(new Error(`Exit code ${code}.`)),
    );
  });
}

describe("16 processes started together", () => {
  it("cost one issuecredential in all, and use one certificate", async () => {
    const thumbprints = await Promise.all(Array.from({ length: PROCESSES }, oneToken));
    const { getplatformmetadata, issuecredential, token } = await emulator.counts();
    assert.deepEqual({ getplatformmetadata, issuecredential, token }, {
      getplatformmetadata: 1,
      issuecredential: 1,
      token: PROCESSES,
    });
    assert.equal(new Set(thumbprints).size, 1);
  });

  it("heal a lost key with one issuecredential in all", async () => {
    await emulator.reset();
    for (const name of await readdir(directory)) {
      if (name.endsWith(".pem")) await rm(join(directory, name));
    }
    const thumbprints = await Promise.all(Array.from({ length: 6 }, oneToken));
    assert.equal((await emulator.counts()).issuecredential, 1);
    assert.equal(new Set(thumbprints).size, 1);
  });
});
