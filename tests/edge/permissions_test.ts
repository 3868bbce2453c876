/**
 * What a process must be allowed to do, backend by backend: what docs/edge.md says, all of it and no
 * more.
 *
 * @module
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { type Emulator, spawnEmulator } from "../../emulator/mod.ts";
import { softHsm } from "../support/softhsm.ts";
import { assertExample } from "./support/examples.ts";
import { AUTHORITY, CLIENT_ID, platformClient } from "./support/platform_client.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const FETCH = join(ROOT, "tests/edge/support/permitted_fetch.ts");
const EDGE = join(ROOT, "tests/edge/support/permitted_edge.ts");
const KOFFI = join(ROOT, "node_modules/@koromix");

const isDeno = "Deno" in globalThis;
const isNode = !isDeno && process.versions["bun"] === undefined;
const hasPermissions = isDeno || (isNode && Number.parseInt(process.versions.node) >= 22);

/** The flags in a row of the table, one value each. */
async function documented(name: string): Promise<string[]> {
  const text = await readFile(join(ROOT, "docs/edge.md"), "utf8");
  const row = text.split("\n").find((line) => line.startsWith(`| ${name} `)) ?? "";
  const columns = [...row.matchAll(/\| `(--[^`]*)`/g)].map(([, flags]) => flags!);
  assert.equal(columns.length, 2, `docs/edge.md has a row '${name}'`);
  return columns[isDeno ? 0 : 1]!.split(" ").flatMap((flag) => {
    const [kind, values] = flag.split("=");
    return values === undefined ? [flag] : values.split(",").map((value) => `${kind}=${value}`);
  });
}

/** What is allowed of each kind, in the form that both runtimes understand. */
function flagsOf(documentedFlags: readonly string[], directory: string): string[] {
  const places: Readonly<Record<string, string>> = {
    HOSTS: "127.0.0.1",
    DIR: directory,
    PROJECT: ROOT,
    KOFFI,
  };
  const kinds = new Map<string, string[]>();
  for (const flag of documentedFlags) {
    const [kind, value] = flag.split("=");
    const known = kinds.get(kind!) ?? [];
    kinds.set(kind!, value === undefined ? known : [...known, places[value] ?? value]);
  }
  return [...kinds].flatMap(([kind, values]) => {
    if (values.length === 0) return [kind];
    // Node takes one path a flag, Deno one flag a kind.
    return isDeno ? [`${kind}=${values}`] : values.map((value) => `${kind}=${value}`);
  });
}

/** What a program wrote; rejects with what it complained of. */
function run(program: string, argument: object, flags: readonly string[]): Promise<string> {
  const start = isDeno
    ? ["run", "--no-prompt", "--no-check"]
    : ["--permission", "--experimental-strip-types", "--no-warnings"];
  const args = [...start, ...flags, program, JSON.stringify(argument)];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { cwd: ROOT, env: process.env }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout.trim());
      else reject(new Error(stderr));
    });
  });
}

describe("the documentation", () => {
  it("shows what the tests run", async () => {
    const source = new URL("support/permitted_edge.ts", import.meta.url).href;
    for (const name of ["deno-client", "deno-serve"]) {
      await assertExample(source, "docs/edge.md", name);
    }
  });

  it("allows nothing without saying for what, where that can be said", async () => {
    for (const name of ["the core, fetcher, resource", "node-tls, keys in a directory"]) {
      for (const flag of await documented(name)) assert.match(flag, /^--allow-[a-z-]+=\w+$/);
    }
  });
});

if (hasPermissions) {
  const token = await softHsm();

  describe("a process", () => {
    let emulator: Emulator;
    let parent: string;
    let directories = 0;

    before(async () => {
      emulator = await spawnEmulator({
        applications: [{ clientId: CLIENT_ID }],
        state: { acceptEc: true },
      });
      parent = await mkdtemp(join(tmpdir(), "keybound-permissions-"));
    });
    after(async () => {
      await emulator.close();
      await rm(parent, { recursive: true });
      await token?.destroy();
    });

    /** It works with what the row says, and with nothing less. */
    const needsAllOf = async (name: string, options: object) => {
      const { ca, metadata, resource } = emulator;
      const flags = await documented(name);
      const fetch = async (allowed: readonly string[]) => {
        const directory = join(parent, `${++directories}`);
        await mkdir(directory, { mode: 0o700 });
        const own = "directory" in options ? { directory } : {};
        const argument = { ca, metadata, resource: `${resource}/`, ...options, ...own };
        return await run(FETCH, argument, flagsOf(allowed, directory));
      };
      assert.equal(await fetch(flags), "200");
      await Promise.all(flags.map(async (missing) => {
        const rest = flags.filter((flag) => flag !== missing);
        await assert.rejects(fetch(rest), `it works without ${missing}`);
      }));
    };

    it("needs what the table says for keys in memory", async () => {
      await needsAllOf("node-tls, keys in memory", {});
    });

    it("needs what the table says for keys in a directory", async () => {
      await needsAllOf("node-tls, keys in a directory", { directory: true });
    });

    it("needs what the table says for OpenSSL with a thread that waits for signatures", async () => {
      await needsAllOf("openssl (`worker`)", { backend: "openssl" });
    });

    if (token !== undefined) {
      it("needs what the table says for keys in a token", async () => {
        const { label, library, pin } = token;
        await needsAllOf("pkcs11, openssl (`in-place`)", {
          pkcs11: { uri: `pkcs11:token=${label}`, module: library, pin },
        });
      });
    }

    if (isDeno) {
      it("needs the network alone for the core, a fetcher of Deno's and a resource server", async () => {
        const { credential: _, ...platform } = await platformClient(emulator);
        const { ca, mtls } = emulator;
        const argument = { clientId: CLIENT_ID, authority: AUTHORITY, ca, mtls, ...platform };
        const flags = flagsOf(await documented("the core, fetcher, resource"), parent);
        assert.equal(await run(EDGE, argument, flags), "200\n401");
        // Where a child has no flag at all, Deno's `node:child_process` allows it everything.
        await assert.rejects(run(EDGE, argument, ["--allow-net=192.0.2.1"]), /NotCapable/);
      });
    }
  });
}
