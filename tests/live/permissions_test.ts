/**
 * What a Deno process must be allowed to do: what README.md says, all of it and no more.
 *
 * @module
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { type Emulator, spawnEmulator } from "../../emulator/mod.ts";

const PROGRAM = fileURLToPath(new URL("support/one_fetch.ts", import.meta.url));
const README = new URL("../../README.md", import.meta.url);

/** What of each kind is allowed, by the name of the flag. */
type Permissions = Readonly<Record<string, readonly string[]>>;

const IN_MEMORY = "Deno, in memory";
const WITH_DIRECTORY = "Deno, with a directory";

/** The flags that the table's row of this name has in backticks. */
async function documented(name: string): Promise<Permissions> {
  const rows = (await readFile(README, "utf8")).split("\n");
  const row = rows.find((line) => line.startsWith(`| ${name} `)) ?? "";
  const flags = /`([^`]*)`/.exec(row)?.[1]?.split(" ") ?? [];
  // Where a child has none at all, Deno's `node:child_process` allows it everything.
  assert.notEqual(flags.length, 0, `README.md has a row '${name}'`);
  return Object.fromEntries(
    flags.map((flag) => {
      const [name = "", values] = flag.split("=");
      // Without a value a flag allows everything of its kind.
      assert.match(flag, /^--allow-[a-z]+=[\w.,]+$/, "each flag says for what it is");
      return [name, values!.split(",")];
    }),
  );
}

/** The permissions, one missing each time. */
function withoutOne(permissions: Permissions): [missing: string, rest: Permissions][] {
  return Object.entries(permissions).flatMap(([name, values]) =>
    values.map((value): [string, Permissions] => {
      const { [name]: _, ...others } = permissions;
      const rest = values.filter((other) => other !== value);
      return [`${name}=${value}`, rest.length === 0 ? others : { ...others, [name]: rest }];
    })
  );
}

describe("the permissions of README.md", () => {
  it("are limited each, and a directory takes only its own and the user's id besides", async () => {
    const { "--allow-sys": sys, ...alone } = await documented(IN_MEMORY);
    const { "--allow-read": read, "--allow-write": write, ...rest } = await documented(
      WITH_DIRECTORY,
    );
    assert.deepEqual([read, write], [["DIR"], ["DIR"]]);
    assert.deepEqual(rest, { ...alone, "--allow-sys": [...sys!, "uid"] });
  });
});

// The other runtimes have no permissions to measure.
if ("Deno" in globalThis) {
  describe("a Deno process", () => {
    let emulator: Emulator;
    let parent: string;
    let directories = 0;

    before(async () => {
      emulator = await spawnEmulator({ state: { acceptEc: true } });
      parent = await mkdtemp(join(tmpdir(), "keybound-permissions-"));
    });
    after(async () => {
      await emulator.close();
      await rm(parent, { recursive: true, force: true });
    });

    const newDirectory = () => join(parent, `${++directories}`);

    /** What the program wrote; rejects with what it complained of. */
    const run = (permissions: Permissions, directory?: string): Promise<string> => {
      const places: Permissions = {
        "--allow-net": ["127.0.0.1"],
        ...(directory && { "--allow-read": [directory], "--allow-write": [directory] }),
      };
      const flags = Object.entries(permissions).map(([name, values]) =>
        `${name}=${places[name] ?? values}`
      );
      const { metadata, ca } = emulator;
      const argument = JSON.stringify({ directory, resource: `${emulator.resource}/`, ca });
      const env = { ...process.env, AZURE_POD_IDENTITY_AUTHORITY_HOST: metadata };
      const args = ["run", "--no-prompt", "--no-check", ...flags, PROGRAM, argument];
      return new Promise((resolve, reject) => {
        execFile(process.execPath, args, { env }, (error, stdout, stderr) => {
          if (error === null) resolve(stdout.trim());
          else reject(new Error(stderr));
        });
      });
    };

    it("needs what the table says to send a bound request", async () => {
      const alone = await documented(IN_MEMORY);
      assert.equal(await run(alone), "200");
      for (const [missing, rest] of withoutOne(alone)) {
        await assert.rejects(run(rest), /NotCapable/, `it works without ${missing}`);
      }
    });

    it("needs what the table says to keep key and certificate in a directory", async () => {
      const all = await documented(WITH_DIRECTORY);
      const directory = newDirectory();
      await emulator.reset();
      await emulator.set({ acceptEc: true });
      assert.equal(await run(all, directory), "200");
      assert.equal(await run(all, directory), "200");
      assert.equal((await emulator.counts()).issuecredential, 1, "the second run found them");
      for (const [missing, rest] of withoutOne(all)) {
        await assert.rejects(
          run(rest, newDirectory()),
          /NotCapable/,
          `it works without ${missing}`,
        );
      }
    });
  });
}
