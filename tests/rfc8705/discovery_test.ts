/**
 * Where an authorization server's metadata comes from, and which of it is taken (RFC 8414).
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { transportError } from "../../src/policy/failure.ts";
import { readServerMetadata, wellKnownUrls } from "../../src/rfc8705/metadata.ts";
import { settling } from "../support/waiting.ts";
import {
  ALIAS,
  changed,
  DAY,
  fakeServer,
  ISSUER,
  large,
  METADATA,
  never,
  redirect,
  type Script,
  status,
} from "./support/fake_server.ts";

const HOUR = 3_600_000;

describe("the addresses of an issuer's metadata", () => {
  const rows: [string, string, string][] = [
    [
      "https://as.example",
      "https://as.example/.well-known/oauth-authorization-server",
      "https://as.example/.well-known/openid-configuration",
    ],
    [
      "https://as.example/",
      "https://as.example/.well-known/oauth-authorization-server",
      "https://as.example/.well-known/openid-configuration",
    ],
    [
      "https://as.example:8443/a/b",
      "https://as.example:8443/.well-known/oauth-authorization-server/a/b",
      "https://as.example:8443/a/b/.well-known/openid-configuration",
    ],
    [
      "https://as.example/a/",
      "https://as.example/.well-known/oauth-authorization-server/a",
      "https://as.example/a/.well-known/openid-configuration",
    ],
  ];
  for (const [issuer, ...urls] of rows) {
    it(`are right for ${issuer}`, () => assert.deepEqual(wellKnownUrls(issuer), urls));
  }

  it("don't exist for what is no issuer", () => {
    for (
      const issuer of [
        ...[
          "",
          "as.example",
          "http://as.example",
          "https://u:p@as.example",
          "https://as.example#f",
        ],
        ...[
          "https://as.example?q",
          "https://as.example/\n",
          "https:\\\\as.example",
          "ftp://as.example",
        ],
      ]
    ) assert.throws(() => wellKnownUrls(issuer), { code: "invalid_argument" }, issuer);
  });
});

describe("a metadata document", () => {
  const read = (fields: object) =>
    readServerMetadata(JSON.stringify({ ...METADATA, ...fields }), ISSUER);

  it("names other endpoints for those with a certificate, and they are taken", () => {
    assert.deepEqual(read({}), {
      issuer: ISSUER,
      token: ALIAS,
      introspection: "https://mtls.as.example/introspect",
    });
    assert.equal(read({ mtls_endpoint_aliases: {} }).token, METADATA.token_endpoint);
    assert.equal(read({ mtls_endpoint_aliases: undefined }).token, METADATA.token_endpoint);
  });

  it("is another issuer's unless every character is the same", () => {
    for (const issuer of [`${ISSUER}/`, "https://AS.example/tenant", "https://evil.example"]) {
      assert.throws(() => read({ issuer }), { code: "issuer_mismatch" }, issuer);
    }
  });

  const broken: [string, object][] = [
    ["no issuer", { issuer: undefined }],
    ["no token endpoint", { token_endpoint: undefined }],
    ["a token endpoint by http", { token_endpoint: "http://as.example/token" }],
    ["a token endpoint with a user", { token_endpoint: "https://a@as.example/token" }],
    ["a token endpoint with a fragment", { token_endpoint: "https://as.example/token#x" }],
    ["a token endpoint with white space", { token_endpoint: "https://as.example/ token" }],
    ["a token endpoint that is an array", { token_endpoint: ["https://as.example/token"] }],
    ["an endless token endpoint", { token_endpoint: `https://as.example/${"a".repeat(2048)}` }],
    ["an alias by http", { mtls_endpoint_aliases: { token_endpoint: "http://as.example/token" } }],
    ["aliases that are text", { mtls_endpoint_aliases: "https://as.example" }],
    ["an introspection endpoint by http", { introspection_endpoint: "http://as.example/i" }],
  ];
  for (const [name, fields] of broken) {
    it(`with ${name} is refused`, () => {
      assert.throws(() => read(fields), { code: "invalid_server_metadata" });
    });
  }
});

describe("discovery", () => {
  const hostile: [string, Script, string][] = [
    ["no JSON", () => new Response("<html>"), "invalid_server_metadata"],
    ["null", () => new Response("null"), "invalid_server_metadata"],
    ["another issuer", changed({ issuer: "https://evil.example" }), "issuer_mismatch"],
    [
      "an http endpoint",
      changed({ token_endpoint: "http://as.example/token" }),
      "invalid_server_metadata",
    ],
    ["5 MB", large(), "response_too_large"],
    ["redirects without end", redirect(), "redirect_refused"],
    ["404 everywhere", status(404), "not_found"],
    ["403 everywhere", status(403), "http_status_not_200"],
    ["500 for ever", status(500), "service_not_available"],
    ["429", status(429, undefined, { "retry-after": "5" }), "request_throttled"],
    ["nothing, ever", never(), "request_timeout"],
  ];
  for (const [name, script, code] of hostile) {
    it(`answered with ${name} gives ${code}, shows nobody else anything, and keeps nothing`, async () => {
      const server = await fakeServer();
      const client = server.client({ timeout: 50 });
      server.always("discovery", script);
      const failing = settling(server, client.getToken());
      if (code === "request_timeout") {
        await Promise.race([failing.catch(() => {}), advancing(server.clock, 2000)]);
      }
      await assert.rejects(failing, { name: "KeyboundError", code, source: "Discovery" });
      assert.match(server.counts(), /^\d\+0\+0\+0$/);
      assert.equal(server.sent.every(({ url }) => new URL(url).host === "as.example"), true);
      server.always("discovery", undefined);
      await server.clock.advance(10_000);
      assert.equal((await client.getToken()).fromCache, false);
    });
  }

  it("goes on to OpenID's address where the first has nothing", async () => {
    const server = await fakeServer();
    server.script("discovery", status(404));
    await server.client().getToken();
    assert.deepEqual(server.sent.map(({ url }) => url), [...wellKnownUrls(ISSUER), ALIAS]);
  });

  it("doesn't look for a better document than one that is wrong", async () => {
    const server = await fakeServer();
    server.script("discovery", changed({ issuer: "https://evil.example" }));
    await assert.rejects(server.client().getToken(), { code: "issuer_mismatch" });
    assert.equal(server.counts(), "1+0+0+0");
  });

  it("is done once for all who ask at the same time, and once an hour", async () => {
    const server = await fakeServer();
    const client = server.client();
    await Promise.all(["a", "b", "c"].map((scope) => client.getToken({ scope })));
    assert.equal(server.counts(), "1+3+0+0");
    await server.clock.advance(HOUR - 1);
    await client.getToken({ forceRefresh: true });
    assert.equal(server.counts(), "1+4+0+0");
    await server.clock.advance(1);
    await client.getToken({ forceRefresh: true });
    assert.equal(server.counts(), "2+5+0+0");
  });

  it("that found nothing good isn't repeated for 10 seconds", async () => {
    const server = await fakeServer();
    const client = server.client();
    server.always("discovery", status(404));
    await assert.rejects(client.getToken(), { code: "not_found" });
    await server.clock.advance(9_999);
    await assert.rejects(client.getToken(), { code: "not_found" });
    assert.equal(server.counts(), "2+0+0+0");
    server.always("discovery", undefined);
    await server.clock.advance(1);
    await client.getToken();
  });

  it("that fails on the wire is repeated at once", async () => {
    const server = await fakeServer();
    const client = server.client();
    server.script("discovery", unreachable);
    await assert.rejects(client.getToken(), { code: "network_unreachable", retryable: true });
    await client.getToken();
  });

  it("leaves older metadata in use for a day while the server can't be asked", async () => {
    const server = await fakeServer();
    const client = server.client();
    await client.getToken();
    server.always("discovery", unreachable);
    await server.clock.advance(HOUR);
    await client.getToken({ forceRefresh: true });
    await client.getToken({ forceRefresh: true });
    assert.equal(server.counts(), "2+3+0+0", "it is asked again after a pause");
    await server.clock.advance(DAY - HOUR);
    await assert.rejects(client.getToken({ forceRefresh: true }), { code: "network_unreachable" });
  });

  it("never trusts older metadata against the server's own word", async () => {
    const server = await fakeServer();
    const client = server.client();
    await client.getToken();
    server.always("discovery", changed({ issuer: "https://evil.example" }));
    await server.clock.advance(HOUR);
    await assert.rejects(client.getToken({ forceRefresh: true }), { code: "issuer_mismatch" });
  });

  it("isn't needed where metadata is given", async () => {
    const server = await fakeServer();
    await server.client({ metadata: METADATA }).getToken();
    assert.equal(server.counts(), "0+1+0+0");
    assert.equal(server.sent[0]!.url, ALIAS);
  });
});

function unreachable(): never {
  throw transportError({
    signals: [{ code: "ECONNREFUSED" }],
    stage: "start",
    reusedConnection: false,
    responseStarted: false,
  });
}

async function advancing(
  clock: { advance(ms: number): Promise<void> },
  until: number,
): Promise<void> {
  for (let ms = 0; ms < until; ms += 50) await clock.advance(50);
}
