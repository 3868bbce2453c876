/**
 * What a Deno process must be allowed to do: what README.md says, all of it and no more.
 *
 * @module
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { type Emulator, spawnEmulator } from "../../emulator/mod.ts";

const PROGRAM = fileURLToPath(new URL("support/one_fetch.ts", import.meta.url));
const BEARER_PROGRAM = fileURLToPath(new URL("support/one_bearer_token.ts", import.meta.url));
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

    /** Which token a process got with these flags; rejects with what it complained of. */
    const runBearer = (
      flags: readonly string[],
      environment: Readonly<Record<string, string | undefined>>,
      argument: object = {},
    ): Promise<string> => {
      const options = JSON.stringify({ ca: emulator.ca, ...argument });
      const args = ["run", "--no-prompt", "--no-check", ...flags, BEARER_PROGRAM, options];
      const env = { ...process.env, ...environment };
      return new Promise((resolve, reject) => {
        execFile(process.execPath, args, { env }, (error, stdout, stderr) => {
          if (error === null) resolve(stdout.trim());
          else reject(new Error(stderr));
        });
      });
    };

    it("takes variables that it may not read for unset, and is asked about none", async () => {
      const alone = await documented(IN_MEMORY);
      const flags = Object.entries({ ...alone, "--allow-net": ["127.0.0.1"] })
        .map(([name, values]) => `${name}=${values}`);
      const { sources: { appservice, imds } } = emulator;
      const environment = { ...appservice, ...imds };
      assert.equal(await runBearer(flags, environment), "Imds mtls_pop");
      const more = flags.map((flag) =>
        flag.startsWith("--allow-env=") ? `${flag},IDENTITY_ENDPOINT,IDENTITY_HEADER` : flag
      );
      assert.equal(await runBearer(more, environment), "AppService Bearer");
    });

    it("needs a source's own variables and its address for a bearer token, no more", async () => {
      const { sources: { appservice, cloudshell } } = emulator;
      const net = "--allow-net=127.0.0.1";
      const env = "--allow-env=IDENTITY_ENDPOINT,IDENTITY_HEADER";
      assert.equal(await runBearer([net, env], appservice), "AppService Bearer");
      await assert.rejects(runBearer([env], appservice), /NotCapable/);
      assert.equal(
        await runBearer([net, "--allow-env=MSI_ENDPOINT"], cloudshell),
        "CloudShell Bearer",
      );
    });

    it("needs the environment and its folder for the Azure CLI, and is told what is missing", async () => {
      const program = join(parent, "az");
      const expires_on = Math.floor(Date.now() / 1000) + 3600;
      const answer = JSON.stringify({ accessToken: "t", expires_on, tokenType: "Bearer" });
      await writeFile(program, `#!/bin/sh\nprintf '%s' '${answer}'\n`, { mode: 0o700 });
      const path = { PATH: `${parent}:${process.env.PATH}` };
      const [run, env, read] = ["--allow-run=az", "--allow-env", `--allow-read=${parent}`];
      assert.equal(await runBearer([run!, env!, read!], path, { cli: {} }), "AzureCli Bearer");
      const given = [`--allow-run=${program}`, env!];
      assert.equal(await runBearer(given, {}, { cli: { program } }), "AzureCli Bearer");
      await assert.rejects(runBearer([env!, read!], path, { cli: {} }), /NotCapable.*allow-run/);
      await assert.rejects(runBearer([run!, read!], path, { cli: {} }), /NotCapable.*allow-env/);
      await assert.rejects(
        runBearer([run!, env!], path, { cli: {} }),
        /missing_dependency|no `az`/,
      );
    });
  });
}
