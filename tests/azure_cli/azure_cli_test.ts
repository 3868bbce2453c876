/**
 * The Azure CLI as a source of bearer tokens, with scripts in its place that are run for real.
 *
 * @module
 */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { azureCli, type AzureCliOptions } from "../../backends/azure_cli/mod.ts";
import { detect } from "../../backends/detect.ts";
import { isKeyboundError } from "../../src/errors.ts";
import { resolveIdentity } from "../../src/identity.ts";
import { managedIdentity } from "../../src/managed_identity.ts";
import { fakeAzure } from "../support/fake_azure.ts";
import { until } from "../support/waiting.ts";

const RESOURCE = "https://vault.azure.net";
const ID = "11111111-2222-4333-8444-555555555555";

describe("the options of azureCli", () => {
  const wrong: AzureCliOptions[] = [
    { program: "az" },
    { program: "./az" },
    { program: "" },
    { program: "/bin/a\nz" },
    { tenant: "" },
    { tenant: "--debug" },
    { tenant: "a b" },
    { tenant: "@file" },
    { tenant: "x".repeat(254) },
    { timeout: 0 },
    { timeout: -1 },
    { timeout: NaN },
    { timeout: Infinity },
  ];
  for (const options of wrong) {
    it(`are refused: ${JSON.stringify(options).slice(0, 60)}`, () => {
      assert.throws(() => azureCli(options), { code: "invalid_argument" });
    });
  }

  it("are taken where they can be right", () => {
    for (const program of ["/usr/bin/az", "C:\\python.exe"]) {
      azureCli({ program, tenant: "contoso.onmicrosoft.com", timeout: 1 });
    }
  });
});

// Elsewhere there is no /bin/sh to run the scripts.
if (process.platform !== "win32") {
  describe("a token of the Azure CLI", () => {
    let folder: string;
    let scripts = 0;
    before(async () => {
      folder = await mkdtemp(join(tmpdir(), "keybound-az-"));
    });
    after(async () => {
      await rm(folder, { recursive: true, force: true });
    });

    /** A program of these lines of sh, called `az`. */
    const az = async (...lines: string[]): Promise<string> => {
      const place = join(folder, `s p ${++scripts}`);
      await mkdir(place);
      const program = join(place, "az");
      await writeFile(program, ["#!/bin/sh", ...lines, ""].join("\n"));
      await chmod(program, 0o755);
      return program;
    };
    const printing = (fields: object = {}) => {
      const expires_on = Math.floor(Date.now() / 1000) + 3600;
      return `printf '%s' '${
        JSON.stringify({ accessToken: "cli-token", expires_on, tokenType: "Bearer", ...fields })
      }'`;
    };
    const ask = (
      options: AzureCliOptions,
      more: { resource?: string; signal?: AbortSignal } = {},
    ) =>
      azureCli(options).token({
        identity: resolveIdentity({}),
        resource: RESOURCE,
        capabilities: [],
        correlationId: ID,
        ...more,
      });
    /** `work` with this variable PATH. */
    const withPath = async <T>(path: string, work: () => Promise<T>): Promise<T> => {
      const before = process.env.PATH;
      process.env.PATH = path;
      try {
        return await work();
      } finally {
        process.env.PATH = before;
      }
    };

    it("comes from the program given, told what is wanted and nothing else", async () => {
      const program = await az('printf "%s\\n" "$@" "$PWD" > "$0.told"', "cat", printing());
      const answer = await ask({ program, tenant: "contoso.com" }, { resource: "api://x;id" });
      assert.deepEqual([answer.accessToken, answer.source], ["cli-token", "AzureCli"]);
      assert.ok(answer.expiresOn > Date.now() + 3_590_000);
      const told = (await readFile(`${program}.told`, "utf8")).trim().split("\n");
      assert.deepEqual(told.slice(0, -1), [
        "account",
        "get-access-token",
        "--output=json",
        "--resource=api://x;id",
        "--tenant=contoso.com",
      ]);
      // Some systems have their temporary folder behind a link.
      assert.ok(told.at(-1)!.endsWith(program.replace(/\/az$/, "").slice(-30)), "its own folder");
    });

    it("comes from the first az in the folders of PATH, the working directory's never", async () => {
      const [first, second] = [await az(printing()), await az("exit 3")];
      const folders = [first, second].map((program) => program.replace(/\/az$/, ""));
      const path = [".", "", join(folder, "none"), ...folders, process.env.PATH].join(":");
      assert.equal((await withPath(path, () => ask({}))).accessToken, "cli-token");
    });

    it("is missing_dependency where there is no CLI, or none that can be started", async () => {
      const broken = join(folder, "broken");
      await writeFile(broken, "#!/no/such/interpreter\n", { mode: 0o755 });
      const inert = join(folder, "inert");
      await writeFile(inert, "not a program", { mode: 0o644 });
      const calls = [
        () => withPath(folder, () => ask({})),
        () => withPath("", () => ask({})),
        () => ask({ program: join(folder, "nothing") }),
        () => ask({ program: broken }),
        () => ask({ program: inert }),
      ];
      for (const call of calls) {
        await assert.rejects(call(), (error) => {
          assert.ok(isKeyboundError(error, "missing_dependency"), String(error));
          assert.deepEqual([error.source, error.correlationId], ["AzureCli", ID]);
          assert.match(error.message, /Install the Azure CLI/);
          assert.ok(!error.message.includes(folder));
          return true;
        });
      }
    });

    it("is managed_identity_request_failed where the CLI fails, its words untold", async () => {
      const program = await az(
        'echo "ERROR: secret of $HOME cli-token: Please run az login" >&2',
        printing(),
        "exit 1",
      );
      await assert.rejects(ask({ program }), (error) => {
        assert.ok(isKeyboundError(error, "managed_identity_request_failed"));
        assert.match(error.message, /az login/);
        const all = `${error.message} ${error.stack} ${String(error.cause)}`;
        assert.ok(!/secret|cli-token/.test(all) && !all.includes(folder), all);
        return true;
      });
      for (
        const [line, words] of [["exit 7", /status 7/], ["kill -9 $$", /status none/]] as const
      ) {
        await assert.rejects(ask({ program: await az(line) }), (error) => {
          assert.ok(isKeyboundError(error, "managed_identity_request_failed"), String(error));
          assert.match(error.message, words);
          return true;
        });
      }
    });

    it("isn't in 300 KB of output, on either stream", async () => {
      for (const stream of ["1", "2"]) {
        const program = await az(
          printing(),
          `i=0; while [ $i -lt 300 ]; do printf '%1024s' ' ' >&${stream}; i=$((i+1)); done`,
        );
        await assert.rejects(ask({ program }), { code: "managed_identity_request_failed" });
      }
    });

    it("isn't in garbage, nor in the output of an old az", async () => {
      for (const line of ["echo '<html>'", "true", printing({ expires_on: undefined })]) {
        await assert.rejects(ask({ program: await az(line) }), {
          code: "managed_identity_response_parse_failure",
        });
      }
    });

    /** A program that tells its id and then goes on and on. */
    const endless = async () => {
      const program = await az('echo $$ > "$0.new"', 'mv "$0.new" "$0.pid"', "exec sleep 60");
      const pid = async () => Number(await readFile(`${program}.pid`, "utf8"));
      return { program, isStarted: () => existsSync(`${program}.pid`), pid };
    };
    const isAlive = (pid: number) => {
      try {
        process.kill(pid, 0);
        return true;
      } catch {
        return false;
      }
    };

    it("is request_timeout after the time given, and the CLI is killed", async () => {
      const { program, isStarted, pid } = await endless();
      let giveUp = () => {};
      const clock = {
        now: () => Date.now(),
        sleep: () => new Promise<void>((resolve) => giveUp = resolve),
      };
      const asked = ask({ program, timeout: 5000, clock });
      asked.catch(() => {});
      await until(isStarted);
      giveUp();
      await assert.rejects(asked, {
        code: "request_timeout",
        retryable: true,
        source: "AzureCli",
        correlationId: ID,
      });
      const id = await pid();
      await until(() => !isAlive(id));
    });

    it("ends with the caller's signal, and so does the CLI", async () => {
      const { program, isStarted, pid } = await endless();
      const controller = new AbortController();
      const asked = ask({ program }, { signal: controller.signal });
      asked.catch(() => {});
      await until(isStarted);
      const reason = new Error("no longer wanted");
      controller.abort(reason);
      await assert.rejects(asked, reason);
      const id = await pid();
      await until(() => !isAlive(id));
      const marked = await az('touch "$0.ran"');
      await assert.rejects(ask({ program: marked }, { signal: AbortSignal.abort(reason) }), reason);
      assert.equal(existsSync(`${marked}.ran`), false);
    });

    it("is what 'bearer' and 'preferred' give, cached, whichever identity is asked", async () => {
      const program = await az('echo run >> "$0.runs"', printing());
      const host = await detect({ sources: azureCli({ program }) });
      const options = { ...host, environment: {}, clientId: "user-assigned" };
      const identity = managedIdentity(options);
      const all = await Promise.all(
        Array.from({ length: 10 }, (_, i) =>
          identity.getToken({
            resource: RESOURCE,
            binding: i % 2 === 0 ? "bearer" : "preferred",
          })),
      );
      assert.ok(
        all.every(({ accessToken, tokenType, source }) =>
          accessToken === "cli-token" && tokenType === "Bearer" && source === "AzureCli"
        ),
      );
      const again = await identity.getToken({ resource: RESOURCE, binding: "preferred" });
      assert.equal(again.fromCache, true);
      assert.equal(await readFile(`${program}.runs`, "utf8"), "run\n");
      await identity.close();
    });
  });
}

describe("an identity with the Azure CLI", () => {
  it("has no bound tokens, and says so without a run or a request", async () => {
    const azure = await fakeAzure();
    const host = await detect({ sources: azureCli({ program: "/nothing/az" }) });
    const identity = azure.identity({ bearer: host.bearer! });
    assert.deepEqual(await identity.capabilities(), {
      source: "AzureCli",
      boundTokens: false,
      reason: "The Azure CLI gives no bound tokens.",
      strength: "none",
    });
    await assert.rejects(identity.getToken({ resource: RESOURCE }), {
      code: "mtls_pop_not_supported_for_environment",
      source: "AzureCli",
    });
    await assert.rejects(identity.getToken({ resource: RESOURCE, minStrength: "software" }), {
      code: "min_strength_not_met",
    });
    assert.equal(azure.sent.length, 0);
    await identity.close();
    await assert.rejects(identity.capabilities(), { code: "closed" });
  });

  it("isn't found by itself: bearerTokens wants one of a host and sources", async () => {
    const { bearerTokens } = await import("../../src/sources/mod.ts");
    const { hostAccess } = await import("../../backends/host/mod.ts");
    for (const options of [{}, { host: hostAccess(), sources: azureCli() }]) {
      assert.throws(() => bearerTokens(options), { code: "invalid_argument" });
    }
  });
});
