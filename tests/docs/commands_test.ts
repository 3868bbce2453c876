/**
 * The command lines in README.md and docs/ are ones that the program understands: each is run, against
 * an emulator.
 *
 * @module
 */

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { startKeybound } from "../cli/support/program.ts";
import { softHsm } from "../support/softhsm.ts";
import { type AzureStage, openAzure, within } from "./support/azure_stage.ts";
import { commandLines, commandsIn } from "./support/commands.ts";

/** Commands that run until they are told to end. */
const SERVERS: readonly string[] = ["emulator", "proxy"];

const softhsm = await softHsm();
const needsToken = (args: readonly string[]) => args[0] === "keys" && !args.includes("--directory");
const lines = commandLines().filter(({ args }) => softhsm !== undefined || !needsToken(args));

describe("the command lines in README.md and docs/", () => {
  let azure: AzureStage;
  let environment: Record<string, string>;
  before(async () => {
    azure = await openAzure();
    environment = {
      AZURE_POD_IDENTITY_AUTHORITY_HOST: azure.emulator.metadata,
      KEYBOUND_CA: join(azure.directory, "ca.pem"),
    };
    if (softhsm === undefined) return;
    const pin = join(azure.directory, "pin");
    await writeFile(pin, `${softhsm.pin}\n`, { mode: 0o600 });
    environment.KEYBOUND_PKCS11_URI =
      `pkcs11:token=${softhsm.label}?module-path=${softhsm.library}&pin-source=file:${pin}`;
  });
  after(async () => {
    await azure.close();
    await softhsm?.destroy();
  });

  lines.forEach(({ file, line, args }, index) => {
    it(`run: ${file}:${line}: ${args.join(" ")} (${index + 1})`, async () => {
      const here = args.map((arg, at) => local(arg, args[at - 1], azure.directory));
      const { KEYBOUND_PKCS11_URI: _, ...others } = environment;
      const program = startKeybound(here, {
        environment: needsToken(args) ? environment : others,
      });
      if (SERVERS.includes(args[0]!) && !args.includes("--print-config")) {
        const started = () => program.lines.length + program.notes.length > 0;
        while (!started()) await Promise.race([program.ended, wait(5)]);
        await program.stop();
      }
      const { code, complaint } = await program.ended;
      assert.doesNotMatch(complaint, /See 'keybound/);
      if (args[0] !== "doctor") assert.equal(code, 0, complaint);
    });
  });
});

describe("what finds them", () => {
  it("knows how the program is called", () => {
    const code = "# keybound no\nnpx keybound token \\\n  --resource 'a b' | jq .x\n" +
      "A=1 keybound doctor --json > file\nls keybound\nkeybound emulator --quiet &\n";
    assert.deepEqual(commandsIn(code), [
      ["token", "--resource", "a b"],
      ["doctor", "--json"],
      ["emulator", "--quiet"],
    ]);
    assert.ok(commandLines().length > 10);
  });
});

/** An argument with this host's directories and a free port in place of the reader's. */
function local(arg: string, before: string | undefined, directory: string): string {
  if (before?.endsWith("-port") || before === "--port") return "0";
  return arg.startsWith("/") ? within(directory, arg) : arg;
}
