/**
 * The transport over `node:https`: the port's conformance, and what is its own.
 *
 * @module
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { type NodeTlsOptions, nodeTlsTransport } from "../../backends/node_tls/mod.ts";
import { webcryptoKeys } from "../../backends/webcrypto/mod.ts";
import { ClientCredential } from "../../src/credential.ts";
import { type ErrorCode, isKeyboundError, KeyboundError } from "../../src/errors.ts";
import { isPemExportable, type SigningKey } from "../../src/keys.ts";
import { classifyFailure } from "../../src/policy/failure.ts";
import { TransportError } from "../../src/transports.ts";
import { encodePem } from "../../src/x509/pem.ts";
import { describeMtlsTransport } from "../conformance/mtls_transport.ts";
import { manualClock } from "../support/clock.ts";
import type { ClientOrders } from "../support/tls_client_main.ts";
import { type TlsAuthority, tlsAuthority } from "../support/tls_identities.ts";
import { startTlsServers, type TlsServers } from "../support/tls_servers.ts";

describeMtlsTransport(
  "nodeTlsTransport, as every transport",
  // deno-lint-ignore require-await
  async () => {
    const keys = webcryptoKeys();
    let number = 0;
    return {
      // Longer than the suite takes: what ends in it doesn't end for being idle.
      transport: (ca) => nodeTlsTransport({ ca, keepAliveTimeout: 600_000 }),
      key: (algorithm) => keys.create(`key-${number++}`, { algorithm }),
    };
  },
  // Deno reads on from a TLS socket that is paused (2.9.6).
  { name: "node_tls", backPressure: process.versions.deno === undefined },
);

/** The credential with another way to export its key, and how often that was used. */
async function exporting(
  credential: ClientCredential,
  exportPem: () => Promise<string>,
): Promise<{ credential: ClientCredential; exports: () => number }> {
  let exports = 0;
  const { id, strength, spki, schemes } = credential.key;
  const key = {
    id,
    strength,
    spki,
    schemes,
    sign: () => Promise.reject(new Error("not asked for")),
    exportPem: () => {
      exports++;
      return exportPem();
    },
  };
  return {
    credential: await ClientCredential.create(credential.chain, key),
    exports: () => exports,
  };
}

function pemOf(key: SigningKey): Promise<string> {
  assert.ok(isPemExportable(key));
  return key.exportPem();
}

function rejectsWith(code: ErrorCode): (error: unknown) => boolean {
  return (error) => isKeyboundError(error, code);
}

describe("nodeTlsTransport", () => {
  let authority: TlsAuthority;
  let servers: TlsServers;
  let credential: ClientCredential;

  before(async () => {
    authority = await tlsAuthority("Node TLS Test");
    const server = await authority.server();
    servers = await startTlsServers({
      https: { kind: "https", ...server, clientCa: authority.pem },
      untouched: { kind: "https", ...server, clientCa: authority.pem },
      silent: { kind: "silent" },
    });
    credential = await authority.client("P-256");
  });
  after(() => servers?.close());

  const transportOf = (options: NodeTlsOptions = {}) =>
    nodeTlsTransport({ ca: authority.pem, ...options });

  it("refuses options that are no positive integers", () => {
    for (const value of [0, -1, 1.5, NaN, Infinity, 2 ** 31]) {
      for (const name of ["maxCredentials", "keepAliveTimeout", "connectTimeout"]) {
        assert.throws(() => nodeTlsTransport({ [name]: value }), rejectsWith("invalid_argument"));
      }
    }
  });

  it("refuses a list of authorities without one", () => {
    const key = encodePem("PUBLIC KEY", credential.key.spki);
    for (const ca of ["", "garbage", key, [authority.pem, "garbage"]]) {
      assert.throws(() => nodeTlsTransport({ ca }), rejectsWith("invalid_pem"));
    }
  });

  describe("a key's PEM", () => {
    const refuses = async (exportPem: () => Promise<string>, code: ErrorCode) => {
      const transport = transportOf();
      const broken = await exporting(credential, exportPem);
      const url = servers.url("untouched", "/report");
      await assert.rejects(
        transport.fetch(new Request(url), broken.credential),
        rejectsWith(code),
      );
      await transport.close();
      assert.equal(servers.count("untouched", "connection"), 0);
    };

    it("must come: an export that fails ends it before any network", async () => {
      await refuses(() => Promise.reject(new Error("locked")), "key_unusable");
      const gone = new KeyboundError("key_provider_unavailable", "gone");
      await refuses(() => Promise.reject(gone), "key_provider_unavailable");
    });

    it("must be a private key", async () => {
      await refuses(() => Promise.resolve("garbage"), "key_unusable");
      await refuses(() => Promise.resolve(""), "key_unusable");
      const spki = encodePem("PUBLIC KEY", credential.key.spki);
      await refuses(() => Promise.resolve(spki), "key_unusable");
    });

    it("must be the certificate's own", async () => {
      const other = await authority.client("P-256");
      await refuses(() => pemOf(other.key), "certificate_key_mismatch");
    });

    it("is asked for again after a failure, and then no more until it is retired", async () => {
      const transport = transportOf();
      let fail = true;
      const once = await exporting(credential, () => {
        const failing = fail;
        fail = false;
        return failing ? Promise.reject(new Error("busy")) : pemOf(credential.key);
      });
      const fetch = async () => {
        const url = servers.url("https", "/report");
        await (await transport.fetch(new Request(url), once.credential)).text();
      };
      await assert.rejects(fetch(), rejectsWith("key_unusable"));
      await fetch();
      await fetch();
      assert.equal(once.exports(), 2);
      transport.retire(once.credential.thumbprint);
      await fetch();
      assert.equal(once.exports(), 3);
      await transport.close();
    });

    it("is held for no more credentials than told", async () => {
      const transport = transportOf({ maxCredentials: 2 });
      const held = await Promise.all([1, 2, 3].map(async () => {
        const client = await authority.client("P-256");
        return await exporting(client, () => pemOf(client.key));
      }));
      const fetch = async (i: number) => {
        const url = servers.url("https", "/report");
        await (await transport.fetch(new Request(url), held[i]!.credential)).text();
      };
      for (const i of [0, 1, 0, 2, 0, 1]) await fetch(i);
      assert.deepEqual(held.map((one) => one.exports()), [1, 2, 1]);
      await transport.close();
    });
  });

  it("verifies the server also with NODE_TLS_REJECT_UNAUTHORIZED=0", async () => {
    const stranger = await tlsAuthority("Stranger");
    const transport = nodeTlsTransport({ ca: stranger.pem });
    const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
    try {
      const sent = transport.fetch(new Request(servers.url("https", "/report")), credential);
      await assert.rejects(sent, (error) => {
        assert.ok(error instanceof TransportError);
        assert.equal(classifyFailure(error.failure).class, "server_untrusted");
        return true;
      });
    } finally {
      if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
      else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before;
      await transport.close();
    }
  });

  it("trusts each of several authorities", async () => {
    const stranger = await tlsAuthority("Stranger");
    const transport = transportOf({ ca: [stranger.pem, authority.pem] });
    const request = new Request(servers.url("https", "/report"));
    const seen = await (await transport.fetch(request, credential)).json();
    assert.equal(seen.authorized, true);
    await transport.close();
  });

  describe("time", () => {
    it("runs out for a connection that doesn't become secure", async () => {
      const clock = manualClock();
      const transport = transportOf({ clock, connectTimeout: 5000 });
      const sent = transport.fetch(new Request(servers.url("silent")), credential);
      const rejected = assert.rejects(sent, (error) => {
        assert.ok(error instanceof TransportError);
        assert.equal(classifyFailure(error.failure).class, "timeout");
        assert.equal(error.failure.responseStarted, false);
        return true;
      });
      await servers.next("silent", "connection");
      await clock.advance(4999);
      assert.equal(clock.sleepers, 1);
      await clock.advance(1);
      await rejected;
      await servers.next("silent", "closed");
    });

    it("no longer runs when the connection is secure", async () => {
      const clock = manualClock();
      const transport = transportOf({ clock });
      const response = await transport.fetch(
        new Request(servers.url("https", "/stall")),
        credential,
      );
      assert.equal(clock.sleepers, 0);
      await response.body?.cancel();
      await transport.close();
    });

    it("closes a connection that is idle, and none that waits for an answer", async () => {
      const transport = transportOf({ keepAliveTimeout: 20 });
      const fetch = (path: string) =>
        transport.fetch(new Request(servers.url("untouched", path)), credential);
      assert.equal(await (await fetch("/late/100")).text(), "late");
      await servers.next("untouched", "closed");
      await transport.close();
    });
  });

  describe("a declared content length", () => {
    const post = async (length: string, ...parts: string[]) => {
      const transport = transportOf();
      const left = [...parts];
      const body = new ReadableStream({
        pull(controller) {
          const part = left.shift();
          if (part === undefined) controller.close();
          else controller.enqueue(new TextEncoder().encode(part));
        },
      });
      const headers = { "content-length": length };
      const init = { method: "POST", body, headers, duplex: "half" } as RequestInit;
      try {
        const request = new Request(servers.url("https", "/report"), init);
        return await (await transport.fetch(request, credential)).json();
      } finally {
        await transport.close();
      }
    };
    const long = "x".repeat(70_000);

    it("is kept to for a body that streams", async () => {
      const seen = await post("140000", long, long);
      const at = seen.headers.findIndex((name: string) => name.toLowerCase() === "content-length");
      assert.equal(seen.headers[at + 1], "140000");
      assert.equal(seen.body.length, 140_000);
    });

    it("is refused where the body has another", async () => {
      await assert.rejects(post("3", "four"), rejectsWith("invalid_argument"));
      await assert.rejects(post("5", "four"), rejectsWith("invalid_argument"));
      await assert.rejects(post("139999", long, long), rejectsWith("invalid_argument"));
      await assert.rejects(post("140001", long, long), rejectsWith("invalid_argument"));
      await assert.rejects(post("70000", long, long), rejectsWith("invalid_argument"));
      await assert.rejects(post("1e3", "four"), rejectsWith("invalid_argument"));
    });
  });

  it("refuses a body that was used", async () => {
    const transport = transportOf();
    const request = new Request(servers.url("https", "/report"), { method: "POST", body: "x" });
    await request.text();
    await assert.rejects(transport.fetch(request, credential), rejectsWith("invalid_argument"));
    await transport.close();
  });

  it("lets a process end, and writes no key to the runtime's debug log", async () => {
    const orders: ClientOrders = {
      url: servers.url("https", "/report"),
      ca: authority.pem,
      cert: encodePem("CERTIFICATE", credential.chain[0]!),
      key: await pemOf(credential.key),
    };
    const program = fileURLToPath(new URL("../support/tls_client_main.ts", import.meta.url));
    const child = spawn(process.execPath, [...runArguments(), program], {
      env: { ...process.env, NODE_DEBUG: "http,https,tls,net" },
    });
    let output = "";
    let log = "";
    child.stdout.on("data", (chunk) => output += chunk);
    child.stderr.on("data", (chunk) => log += chunk);
    child.stdin.end(JSON.stringify(orders));
    const code = await new Promise((resolve) => child.on("close", resolve));
    assert.equal(output.trim(), "status 200", log.slice(-2000));
    assert.equal(code, 0);
    const secret = orders.key.split("\n")[1]!;
    assert.ok(!log.includes(secret), "the key is in the debug log");
    assert.ok(!log.includes("BEGIN PRIVATE KEY"), "the key is in the debug log");
  });
});

/** How this runtime is told to run a TypeScript program. */
function runArguments(): string[] {
  if (process.versions.deno !== undefined) return ["run", "-A", "--no-check"];
  if (process.versions.bun !== undefined) return ["run"];
  return process.execArgv.filter((argument) => !argument.startsWith("--test"));
}
