import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import process from "node:process";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { type EmulatorOptions, spawnEmulator, startEmulator } from "../../emulator/mod.ts";
import { failureOf, failureText, getMetadata, send, until, V2 } from "./support/http.ts";

const PLATFORM = `identity/getplatformmetadata?${V2}`;

/** Runs a TypeScript file with the runtime of this test. */
function run(file: string) {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const { deno, bun } = process.versions as { deno?: string; bun?: string };
  const args = deno !== undefined
    ? ["run", "-A", path]
    : bun !== undefined
    ? [path]
    : ["--import", "tsx", path];
  return spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
}

/** Whether nothing listens at `url`. */
async function isSilent(url: string): Promise<boolean> {
  const failure = await send(url).then(() => "", failureText);
  return failure.includes("ECONNREFUSED");
}

describe("a spawned emulator", () => {
  it("isn't started by a Node that doesn't exist", async () => {
    await assert.rejects(spawnEmulator({ node: "/nowhere/node" }), {
      code: "missing_dependency",
      message: /Node 20 or later, and '\/nowhere\/node' is none/,
    });
  });

  it("isn't started by the wrong program in KEYBOUND_NODE", async () => {
    const before = process.env["KEYBOUND_NODE"];
    process.env["KEYBOUND_NODE"] = "/nowhere/else";
    try {
      await assert.rejects(spawnEmulator(), { code: "missing_dependency" });
    } finally {
      if (before === undefined) delete process.env["KEYBOUND_NODE"];
      else process.env["KEYBOUND_NODE"] = before;
    }
  });

  it("isn't started with options that nobody understands", async () => {
    const options = { identities: [{ kind: "system", clientId: "me" }] } as EmulatorOptions;
    for (const start of [spawnEmulator, startEmulator]) {
      await assert.rejects(start(options), {
        code: "invalid_argument",
        message: /options\.identities\.0\.clientId/,
      });
    }
  });

  it("is given up when it isn't ready in time", async () => {
    await assert.rejects(spawnEmulator({ startTimeout: 1 }), { code: "request_timeout" });
  });

  it("takes its options along and does what it is told", async () => {
    const emulator = await spawnEmulator({
      cuId: { vmId: "the-vm" },
      state: { clockOffset: 86_400_000 },
    });
    try {
      assert.ok(await emulator.now() > Date.now() + 86_000_000);
      await emulator.script("getplatformmetadata", { kind: "amend", merge: { extra: true } });
      const answer = await getMetadata(emulator, PLATFORM);
      assert.deepEqual(answer.json["cuId"], { vmId: "the-vm" });
      assert.equal(answer.json["extra"], true);
      assert.equal((await emulator.counts()).getplatformmetadata, 1);
      assert.equal((await emulator.requests())[0]!.endpoint, "getplatformmetadata");
      assert.equal((await emulator.state()).clockOffset, 86_400_000);
      await assert.rejects(emulator.set({ v1Only: "no" as unknown as boolean }), {
        code: "invalid_argument",
      });
    } finally {
      await emulator[Symbol.asyncDispose]();
    }
  });

  for (const [where, start] of [["a child", spawnEmulator], ["place", startEmulator]] as const) {
    it(`is gone after close, unanswered requests and all, in ${where}`, async () => {
      const emulator = await start();
      await emulator.script("getplatformmetadata", { kind: "hang" });
      const waiting = failureOf(getMetadata(emulator, PLATFORM));
      await until(async () => (await emulator.counts()).getplatformmetadata === 1);
      await emulator.close();
      assert.match(failureText(await waiting), /ECONNRESET|hang up|closed/i);
      await emulator.close();
      await assert.rejects(emulator.counts(), { code: "closed" });
      for (const url of [emulator.metadata, emulator.attestation, emulator.admin.url]) {
        assert.match(failureText(await failureOf(send(url))), /ECONNREFUSED/);
      }
    });
  }

  it("doesn't outlive a parent that is killed", async () => {
    const parent = run("./support/spawning_parent.ts");
    try {
      const metadata = await new Promise<string>((resolve, reject) => {
        parent.stdout.setEncoding("utf8").once("data", (line: string) => resolve(line.trim()));
        parent.once("close", () => reject(new Error("The parent ended early.")));
      });
      assert.equal((await send(metadata)).status, 404);
      parent.kill("SIGKILL");
      await until(() => isSilent(metadata));
    } finally {
      parent.kill("SIGKILL");
    }
  });
});
