/**
 * The plugins where their peers aren't installed.
 *
 * @module
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { bundled } from "../../edge/support/bundle.ts";

const run = promisify(execFile);

const PROGRAM = `
import { mtlsNetwork } from "./plugin.mjs";
const transports = [{ accepts: () => true, retire() {} }];
const credential = () => Promise.reject(new Error("None."));
const network = mtlsNetwork({ credential, transports });
network.sendPostRequestAsync("https://login.microsoftonline.com/t/oauth2/v2.0/token")
  .catch(({ code, message }) => console.log(code + ": " + message));
`;

describe("a plugin without its peer", () => {
  let directory: string;

  before(async () => directory = await mkdtemp(join(tmpdir(), "keybound-missing-")));
  after(() => rm(directory, { recursive: true }));

  it("loads, and says in one sentence what to install when it is needed", async () => {
    const plugin = await bundled("plugins/msal_node/mod.ts", ["@azure/msal-node"]);
    await writeFile(join(directory, "plugin.mjs"), plugin);
    await writeFile(join(directory, "program.mjs"), PROGRAM);
    const start = "Deno" in globalThis
      ? ["run", "--no-prompt"]
      : process.versions["bun"] === undefined
      ? []
      : ["--no-install"];
    const { stdout } = await run(process.execPath, [...start, "program.mjs"], { cwd: directory });
    assert.equal(
      stdout.trim(),
      "missing_dependency: The network for MSAL needs one more package: npm install @azure/msal-node.",
    );
  });

  it("is not in need of it where the peer only calls", async () => {
    for (const name of ["oauth4webapi", "fetch"]) {
      const plugin = await bundled(`plugins/${name}/mod.ts`);
      assert.doesNotMatch(plugin, /^import |\bimport\(/m);
    }
  });
});
