/**
 * Proxies of the environment never see what is asked of the metadata service and of sources, nor a
 * bound request: in processes whose environment names a proxy for everything.
 *
 * @module
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { after, before, beforeEach, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { type Emulator, spawnEmulator } from "../../emulator/mod.ts";

const PROGRAM = fileURLToPath(new URL("support/behind_proxy.ts", import.meta.url));
const KEYBOUND = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));
const LOADER = new URL("../support/typescript_loader.mjs", import.meta.url).href;

/** Node 20 and early versions of others know nothing of proxies; Deno and Bun obey them unasked. */
const honoursProxies = "Deno" in globalThis || process.versions["bun"] !== undefined ||
  process.allowedNodeEnvironmentFlags.has("--use-env-proxy");

const isDeno = process.versions["deno"] !== undefined;

/** The options that this runtime starts a program of ours with. */
function startOptions(): string[] {
  if (isDeno) return ["run", "-A", "--no-check"];
  return process.versions["bun"] === undefined ? ["--no-warnings", "--import", LOADER] : [];
}

describe("a proxy that the environment names for everything", () => {
  let emulator: Emulator;
  let proxy: Server;
  let variables: Record<string, string>;
  /** What came to the proxy: method, target and headers. */
  let seen: string[] = [];

  before(async () => {
    emulator = await spawnEmulator({ state: { acceptEc: true } });
    proxy = createServer(({ method, url, rawHeaders }, response) => {
      seen.push([method, url, ...rawHeaders].join(" "));
      response.writeHead(502).end();
    });
    proxy.on("connect", ({ url }, socket) => {
      seen.push(`CONNECT ${url}`);
      socket.on("error", () => {});
      socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
    });
    proxy.listen(0, "127.0.0.1");
    await once(proxy, "listening");
    const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const names = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
    variables = Object.fromEntries(
      [...names, ...names.map((name) => name.toLowerCase())].map((name) => [name, address]),
    );
  });
  beforeEach(async () => {
    seen = [];
    await emulator.reset();
    await emulator.set({ acceptEc: true });
  });
  after(async () => {
    proxy.closeAllConnections();
    proxy.close();
    await emulator.close();
  });

  /** What the program wrote, in this runtime and an environment like that. */
  const run = (
    program: string,
    args: readonly string[],
    environment: Readonly<Record<string, string>>,
  ): Promise<string> => {
    const { NO_PROXY: _upper, no_proxy: _lower, ...own } = process.env;
    const env = { ...own, ...variables, ...environment };
    return new Promise((resolve, reject) => {
      execFile(
        process.execPath,
        [...startOptions(), program, ...args],
        { env, timeout: 25_000 },
        (error, stdout, stderr) => {
          if (error?.killed || stdout === "") reject(new Error(`${error?.message} ${stderr}`));
          else resolve(stdout.trim());
        },
      );
    });
  };
  const ask = (
    source: "imds" | "appservice" | "servicefabric",
    options: object,
  ) =>
    run(PROGRAM, [JSON.stringify({ ca: emulator.ca, ...options })], {
      ...emulator.sources[source],
      NODE_USE_ENV_PROXY: "1",
    });

  if (honoursProxies) {
    it("is asked by this runtime's own fetch, which a caller may insist on", async () => {
      const bound = await ask("imds", { binding: "mtls_pop", plainFetch: true });
      assert.notEqual(bound, "Imds mtls_pop");
      assert.ok(seen.some((request) => request.includes(new URL(emulator.metadata).host)));
    });
  } else {
    it("isn't asked by this runtime's own fetch either", async () => {
      const bound = await ask("imds", { binding: "mtls_pop", plainFetch: true });
      assert.equal(bound, "Imds mtls_pop");
      assert.deepEqual(seen, []);
    });
  }

  it("isn't asked for the metadata service, the token endpoint or a resource", async () => {
    const options = { binding: "mtls_pop", resource: `${emulator.resource}/` };
    assert.equal(await ask("imds", options), "Imds mtls_pop 200");
    assert.deepEqual(seen, []);
    const { getplatformmetadata, issuecredential, token, resource } = await emulator.counts();
    assert.deepEqual([getplatformmetadata > 0, issuecredential, token, resource], [true, 1, 1, 1]);
  });

  const sources = {
    imds: "Imds",
    appservice: "AppService",
    servicefabric: "ServiceFabric",
  } as const;
  for (const [kind, name] of Object.entries(sources) as [keyof typeof sources, string][]) {
    it(`isn't asked for a bearer token of ${name}`, async () => {
      assert.equal(await ask(kind, { binding: "bearer" }), `${name} Bearer`);
      assert.deepEqual(seen, []);
    });
  }

  it("isn't asked by keybound doctor, which says so", async () => {
    const text = await run(KEYBOUND, ["doctor", "--json"], {
      ...emulator.sources.imds,
      NODE_USE_ENV_PROXY: "1",
    });
    const findings = text.split("\n").map((line) => JSON.parse(line));
    const service = findings.find(({ check }) => check === "metadata service");
    assert.equal(service.verdict, "ok");
    const details = findings.filter(({ check }) => check === "environment");
    assert.ok(details.some(({ detail }) => detail.startsWith("HTTP_PROXY is set")));
    assert.deepEqual(seen, []);
  });
});
