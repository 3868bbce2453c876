/**
 * An acquisition that is called off or runs out of time returns at once, keeps nothing, and leaves
 * no connection behind.
 *
 * @module
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { nodeTlsTransport } from "../../backends/node_tls/mod.ts";
import type { ClientCredential } from "../../src/credential.ts";
import { rfc8705Client, type Rfc8705ClientOptions } from "../../src/rfc8705/mod.ts";
import type { MtlsTransport } from "../../src/transports.ts";
import { tlsAuthority } from "../support/tls_identities.ts";
import { startTlsServers, type TlsServers } from "../support/tls_servers.ts";
import { until } from "../support/waiting.ts";
import { changed, type Endpoint, fakeServer, never } from "./support/fake_server.ts";

const REASON = new Error("Called off by the test.");

describe("an aborted acquisition", () => {
  it("that was aborted before it began sends nothing", async () => {
    const server = await fakeServer();
    const asked = server.client().getToken({ signal: AbortSignal.abort(REASON) });
    await assert.rejects(asked, REASON);
    assert.equal(server.counts(), "0+0+0+0");
  });

  const stages: [Endpoint, string][] = [
    ["discovery", "1+0+0+0"],
    ["token", "1+1+0+0"],
    ["introspection", "1+1+1+0"],
  ];
  for (const [endpoint, counts] of stages) {
    it(`ends with the signal's reason at ${endpoint} and keeps nothing`, async () => {
      const server = await fakeServer();
      const client = server.client({ introspect: true });
      server.always("token", changed({ access_token: "opaque" }));
      server.script(endpoint, never());
      const controller = new AbortController();
      const asked = client.getToken({ signal: controller.signal });
      asked.catch(() => {});
      await until(() => server.counts() === counts);
      controller.abort(REASON);
      await assert.rejects(asked, REASON);
      assert.equal(server.sent.at(-1)!.signal.aborted, true, "the request is called off too");
      assert.equal((await client.getToken()).fromCache, false);
    });
  }

  it("ends while a credential is waited for", async () => {
    const server = await fakeServer();
    const controller = new AbortController();
    const client = server.client({ credential: () => new Promise(() => {}) });
    const asked = client.getToken({ signal: controller.signal });
    controller.abort(REASON);
    await assert.rejects(asked, REASON);
    assert.equal(server.counts(), "0+0+0+0");
  });

  it("isn't kept when its answer comes all the same", async () => {
    const server = await fakeServer();
    const client = server.client();
    const controller = new AbortController();
    server.script("token", async (_sent, regular) => {
      const response = await regular();
      controller.abort(REASON);
      return response;
    });
    await assert.rejects(client.getToken({ signal: controller.signal }), REASON);
    assert.equal((await client.getToken()).fromCache, false);
  });

  it("isn't kept when it is called off as the answer comes, nor is its refresh token", async () => {
    const server = await fakeServer();
    const controller = new AbortController();
    let asked = 0;
    // Asked for as soon as an answer is there: whether to repeat, and when. First of the metadata.
    const random = () => (++asked === 2 && controller.abort(REASON), 0.5);
    const client = server.client({ random });
    server.script("token", changed({ refresh_token: "refresh-0815" }));
    await assert.rejects(client.getToken({ signal: controller.signal }), REASON);
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setTimeout(resolve, 0));
    assert.equal((await client.getToken()).fromCache, false);
    assert.deepEqual(server.sent.at(-1)!.form.get("grant_type"), "client_credentials");
    assert.equal(server.counts(), "1+2+0+0");
  });

  it("doesn't end another's that shares its requests", async () => {
    const server = await fakeServer();
    const client = server.client();
    let release = () => {};
    const held = new Promise<void>((resolve) => release = resolve);
    server.script("discovery", async (_sent, regular) => {
      await held;
      return await regular();
    });
    const controller = new AbortController();
    const first = client.getToken({ signal: controller.signal });
    const second = client.getToken();
    const other = client.getToken({ scope: "other" });
    first.catch(() => {});
    await until(() => server.counts() === "1+0+0+0");
    controller.abort(REASON);
    await assert.rejects(first, REASON);
    release();
    await Promise.all([second, other]);
    assert.equal(server.counts(), "1+2+0+0");
  });

  it("that ran out of time has its own code and keeps nothing", async () => {
    const server = await fakeServer();
    const client = server.client({ timeout: 1000 });
    server.always("token", never());
    const asked = client.getToken();
    asked.catch(() => {});
    await until(() => server.counts() === "1+1+0+0");
    await server.clock.advance(1000);
    await until(() => server.events.some(({ type }) => type === "retry"));
    await server.clock.advance(2000);
    assert.equal(server.counts(), "1+2+0+0", "it is repeated once");
    await server.clock.advance(1000);
    await assert.rejects(asked, { code: "request_timeout", retryable: true });
    assert.equal(server.clock.sleepers, 0);
    server.always("token", undefined);
    assert.equal((await client.getToken()).fromCache, false);
  });
});

describe("over a real connection", () => {
  let servers: TlsServers;
  let transport: MtlsTransport;
  let credential: ClientCredential;

  before(async () => {
    const authority = await tlsAuthority("Test CA");
    credential = await authority.client("P-256");
    transport = nodeTlsTransport({ ca: authority.pem });
    const clientCa = authority.pem;
    servers = await startTlsServers({
      as: { kind: "https", clientCa, ...await authority.server() },
      silent: { kind: "silent" },
    });
  });
  after(async () => {
    await transport.close();
    await servers.close();
  });

  const clientOf = (token_endpoint: string, options: Partial<Rfc8705ClientOptions> = {}) =>
    rfc8705Client({
      metadata: { issuer: "https://localhost", token_endpoint },
      clientId: "client",
      credential,
      transport,
      ...options,
    });

  it("an aborted token request leaves none open", async () => {
    const controller = new AbortController();
    const client = clientOf(servers.url("as", "/hold"));
    const asked = client.getToken({ signal: controller.signal });
    asked.catch(() => {});
    const { connection } = await servers.next("as", "request");
    controller.abort(REASON);
    await assert.rejects(asked, REASON);
    assert.equal((await servers.next("as", "closed")).connection, connection);
  });

  it("a server that never says a word costs the time allowed and leaves none open", async () => {
    const client = clientOf(servers.url("silent"), { timeout: 200 });
    await assert.rejects(client.getToken(), { code: "request_timeout" });
    for (let attempt = 0; attempt < 2; attempt++) await servers.next("silent", "closed");
    assert.equal(servers.count("silent", "connection"), servers.count("silent", "closed"));
  });

  it("a client that is closed leaves none open", async () => {
    const client = clientOf(servers.url("as", "/hold"));
    const asked = client.getToken();
    asked.catch(() => {});
    const { connection } = await servers.next("as", "request");
    await client.close();
    await assert.rejects(asked, { code: "closed" });
    assert.equal((await servers.next("as", "closed")).connection, connection);
  });
});
