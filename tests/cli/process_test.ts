/**
 * The program as a process: what ends it, and how it looks where there is no terminal.
 *
 * @module
 */

import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { spawnKeybound } from "./support/program.ts";

const OWN = { ...process.env as Record<string, string>, NO_COLOR: "" };

describe("the program keybound", () => {
  let directory: string;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "keybound-cli-process-"));
  });
  after(() => rm(directory, { recursive: true, force: true }));

  it("runs an emulator until Ctrl-C, and ends with 0", async () => {
    const args = ["emulator", "--json", "--tls-dir", directory];
    const { code, output, complaint } = await spawnKeybound(args, OWN, (text, end) => {
      if (text.includes("\n")) end("SIGINT");
    });
    assert.equal(code, 0, complaint);
    assert.equal(JSON.parse(output.split("\n")[0]!).caFile, join(directory, "ca.pem"));
    assert.deepEqual((await readdir(directory)).sort(), ["ca.pem", "service-fabric.pem"]);
  });

  it("runs a proxy until it is terminated, and takes its secret away", async () => {
    const secret = join(directory, "secret");
    const { code, output, complaint } = await spawnKeybound(
      [
        ...[
          "proxy",
          "--resource",
          "https://vault.azure.net",
          "--upstream",
          "https://vault.example",
        ],
        ...["--secret-file", secret, "--json"],
      ],
      OWN,
      (text, end) => {
        if (text.includes("\n")) end("SIGTERM");
      },
    );
    assert.equal(code, 0, complaint);
    const { ready, url, secretFile, ...rest } = JSON.parse(output);
    assert.deepEqual([ready, secretFile], [true, secret]);
    assert.match(url, /^http:\/\/127\.0\.0\.1:\d+$/);
    assert.deepEqual(rest, { upstream: "https://vault.example/" });
    assert.ok(!(await readdir(directory)).includes("secret"));
  });

  it("uses no colours and shows no progress where there is no terminal", async () => {
    const { code, output, complaint } = await spawnKeybound(["doctor"], {
      ...OWN,
      AZURE_POD_IDENTITY_AUTHORITY_HOST: "http://127.0.0.1:9",
    });
    assert.equal(code, 2);
    assert.equal(complaint, "");
    assert.ok(!output.includes("\x1b"));
  });
});
