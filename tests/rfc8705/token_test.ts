/**
 * What the token endpoint is asked, what is served from memory, and what refresh tokens are for.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { servedLife } from "../../src/rfc8705/life.ts";
import { fakeJwt } from "../support/fake_azure.ts";
import { until } from "../support/waiting.ts";
import {
  ALIAS,
  changed,
  DAY,
  fakeServer,
  METADATA,
  RESOURCE,
  type Script,
  status,
} from "./support/fake_server.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

describe("a token request", () => {
  it("says who the client is and leaves the proof to the certificate", async () => {
    const server = await fakeServer();
    const token = await server.client().getToken({ scope: "read write", resource: RESOURCE });
    const { url, form, headers, thumbprint, options } = server.sent.at(-1)!;
    assert.equal(url, ALIAS);
    assert.deepEqual([...form], [
      ["grant_type", "client_credentials"],
      ["client_id", "client"],
      ["scope", "read write"],
      ["resource", RESOURCE],
    ]);
    assert.equal(headers.has("authorization"), false);
    assert.equal(thumbprint, server.credential.thumbprint);
    assert.deepEqual(options, { connection: "fresh", maxVersion: "TLSv1.3" });
    assert.equal(token.binding.credential, server.credential);
    assert.equal(token.tokenType, "Bearer");
    assert.equal(token.expiresOn, server.clock.now() + HOUR);
    assert.equal(token.scope, "read write");
  });

  it("names several resources and what else the server wants", async () => {
    const server = await fakeServer();
    const resource = ["https://a.example", "urn:b"];
    await server.client().getToken({ resource, parameters: { audience: "x y" } });
    const { form } = server.sent.at(-1)!;
    assert.deepEqual(form.getAll("resource"), resource);
    assert.equal(form.get("audience"), "x y");
    assert.equal(form.has("scope"), false);
  });

  it("that can't be right is refused before any network", async () => {
    const server = await fakeServer();
    const client = server.client();
    const rows: Parameters<typeof client.getToken>[0][] = [
      { scope: "" },
      { scope: "a  b" },
      { scope: 'a"b' },
      { scope: "a\nb" },
      { scope: "a".repeat(8193) },
      { resource: "" },
      { resource: "relative" },
      { resource: "https://a.example#f" },
      { resource: "https://a .example" },
      { resource: Array(33).fill(RESOURCE) },
      { parameters: { client_id: "other" } },
      { parameters: { client_secret: "s" } },
      { parameters: { grant_type: "password" } },
      { parameters: { "a b": "c" } },
      { parameters: { a: 1 as unknown as string } },
      { correlationId: "a b" },
    ];
    for (const asked of rows) {
      await assert.rejects(client.getToken(asked), { code: "invalid_argument" }, `${asked}`);
    }
    assert.equal(server.counts(), "0+0+0+0");
  });

  it("is repeated once after 5xx, with a body of its own", async () => {
    const server = await fakeServer();
    server.script("token", status(503));
    const asked = server.client().getToken();
    await until(() => server.clock.sleepers > 0 && server.counts() === "1+1+0+0");
    await until(() => server.events.some(({ type }) => type === "retry"));
    await server.clock.advance(2000);
    await asked;
    const [first, second] = server.forms();
    assert.deepEqual(second, first);
  });

  it("that the server wants held back isn't sent until the time is up", async () => {
    const server = await fakeServer();
    const client = server.client();
    server.script("token", status(429, { error: "slow_down" }, { "retry-after": "30" }));
    await assert.rejects(client.getToken(), { code: "oauth_error", retryAfter: 30_000 });
    await server.clock.advance(29_999);
    await assert.rejects(client.getToken(), { oauthError: "slow_down" });
    assert.equal(server.counts(), "1+1+0+0");
    await client.getToken({ scope: "other" });
    await server.clock.advance(1);
    await client.getToken();
    assert.equal(server.counts(), "1+3+0+0");
  });
});

describe("a client", () => {
  it("that can't be right isn't made", async () => {
    const { client, transport } = await fakeServer();
    const rows: [Parameters<typeof client>[0], string][] = [
      [{ clientId: "" }, "invalid_argument"],
      [{ clientId: "a\nb" }, "invalid_argument"],
      [{ issuer: "http://as.example" }, "invalid_argument"],
      [{ issuer: "https://as.example", metadata: METADATA }, "invalid_argument"],
      [{ metadata: { issuer: "https://as.example" } as never }, "invalid_server_metadata"],
      [{ metadata: { ...METADATA, issuer: "http://as.example" } }, "invalid_argument"],
      [{ credential: {} as never }, "invalid_argument"],
      [{ transports: [] }, "invalid_argument"],
      [{ transport }, "invalid_argument"],
      [{ timeout: 0 }, "invalid_argument"],
      [{ metadataLife: Number.NaN }, "invalid_argument"],
    ];
    for (const [options, code] of rows) assert.throws(() => client(options), { code });
    await assert.rejects(
      client({ transports: [{ ...transport, accepts: () => false }] }).getToken(),
      { code: "transport_not_available" },
    );
  });

  it("doesn't use a certificate that isn't in force", async () => {
    const server = await fakeServer();
    for (
      const validity of [{ notAfter: server.clock.now() }, { notBefore: server.clock.now() + DAY }]
    ) {
      const client = server.client({ credential: await server.newCredential(validity) });
      await assert.rejects(client.getToken(), { code: "invalid_certificate" });
    }
    assert.equal(server.counts(), "0+0+0+0");
  });

  it("that is closed answers nothing any more", async () => {
    const server = await fakeServer();
    const client = server.client();
    server.always("token", () => new Promise(() => {}));
    const pending = client.getToken();
    pending.catch(() => {});
    await until(() => server.counts() === "1+1+0+0");
    await client.close();
    await assert.rejects(pending, { code: "closed" });
    await assert.rejects(client.getToken(), { code: "closed" });
  });
});

describe("a token in memory", () => {
  it("serves all who ask for the same, in whatever order they say it", async () => {
    const server = await fakeServer();
    const client = server.client();
    const [first, second] = await Promise.all([
      client.getToken({ scope: "a b", resource: ["https://x.example", "https://y.example"] }),
      client.getToken({ scope: "b a", resource: ["https://y.example", "https://x.example"] }),
    ]);
    assert.equal(first.accessToken, second.accessToken);
    assert.equal((await client.getToken({ scope: "a", resource: [] })).fromCache, false);
    for (
      const other of [
        {},
        { scope: "a b" },
        { resource: "https://x.example" },
        { scope: "a b", parameters: { p: "1" } },
        { scope: "a b", parameters: { p: "2" } },
      ]
    ) assert.equal((await client.getToken(other)).fromCache, false);
    assert.equal(server.counts(), "1+7+0+0");
  });

  it("is served until a tenth of its life is left, at most 5 minutes", async () => {
    const end = Infinity;
    const life = (expiresOn: number, certificateEnd = end, refreshIn?: number) =>
      servedLife({ receivedOn: 0, expiresOn, certificateEnd, refreshIn });
    assert.deepEqual(life(5 * MINUTE), { refreshOn: 0.75 * 4.5 * MINUTE, staleAt: 4.5 * MINUTE });
    assert.deepEqual(life(HOUR), { refreshOn: 0.75 * 55 * MINUTE, staleAt: 55 * MINUTE });
    assert.equal(life(DAY).staleAt, DAY - 5 * MINUTE);
    assert.deepEqual(life(DAY, end, HOUR).refreshOn, HOUR);
    assert.deepEqual(life(HOUR, end, DAY).refreshOn, 55 * MINUTE);
    assert.equal(life(DAY, HOUR).staleAt, 55 * MINUTE, "its certificate ends before it");
    const server = await fakeServer();
    const client = server.client();
    await client.getToken();
    await server.clock.advance(55 * MINUTE - 1);
    assert.equal((await client.getToken()).fromCache, true);
    await until(() => server.events.some(({ type }) => type === "refresh"));
    assert.equal(server.counts(), "1+2+0+0");
  });

  it("is refreshed in the background, nobody waiting, and survives a refresh that fails", async () => {
    const server = await fakeServer();
    const client = server.client();
    const first = await client.getToken();
    server.script("token", status(400, { error: "invalid_scope" }));
    await server.clock.advance(first.refreshOn! - server.clock.now());
    assert.equal((await client.getToken()).accessToken, first.accessToken);
    await until(() => server.events.some(({ type }) => type === "refresh"));
    assert.equal((await client.getToken()).accessToken, first.accessToken);
    assert.equal(server.counts(), "1+2+0+0", "it is tried again after a pause");
    await server.clock.advance(MINUTE);
    assert.equal((await client.getToken()).accessToken, first.accessToken);
    await until(() => server.events.filter(({ type }) => type === "refresh").length === 2);
    const next = await client.getToken();
    assert.notEqual(next.accessToken, first.accessToken);
    assert.equal(next.fromCache, true);
  });

  it("isn't kept where nobody says how long it lives, and is where it says so itself", async () => {
    const server = await fakeServer();
    const client = server.client();
    const without = changed({ expires_in: undefined });
    server.always("token", without);
    assert.equal((await client.getToken()).expiresOn, undefined);
    assert.equal((await client.getToken()).fromCache, false);
    const exp = server.clock.now() / 1000 + 600;
    server.always("token", ({ thumbprint }) =>
      Response.json({
        token_type: "bearer",
        access_token: fakeJwt({ exp, cnf: { "x5t#S256": thumbprint } }),
      }));
    assert.equal((await client.getToken()).expiresOn, exp * 1000);
    assert.equal((await client.getToken()).fromCache, true);
  });
});

describe("the function that gives the credential", () => {
  it("is called once a request for a token, and never for one from memory", async () => {
    const server = await fakeServer();
    let calls = 0;
    const client = server.client({ credential: () => (calls++, server.credential) });
    await Promise.all([client.getToken(), client.getToken()]);
    await client.getToken();
    assert.equal(calls, 1);
    await client.getToken({ forceRefresh: true });
    assert.equal(calls, 2);
  });

  it("moves tokens over to a new certificate while the old one still serves", async () => {
    const server = await fakeServer();
    const second = await server.newCredential();
    let current = server.credential;
    const client = server.client({ credential: () => Promise.resolve(current) });
    const first = await client.getToken();
    current = second;
    assert.equal((await client.getToken()).binding.credential, server.credential);
    assert.equal((await client.getToken({ scope: "a" })).binding.credential, second);
    assert.deepEqual(server.retired, [server.credential.thumbprint]);
    const during = await client.getToken();
    assert.equal(during.accessToken, first.accessToken);
    assert.equal(during.binding.credential, server.credential);
    await until(() => server.events.some(({ type }) => type === "refresh"));
    assert.equal((await client.getToken()).binding.credential, second);
  });

  it("that fails, or gives something else, fails the call and nothing more", async () => {
    const server = await fakeServer();
    const failure = new Error("The vault is sealed.");
    let current: () => never | object = () => {
      throw failure;
    };
    const client = server.client({ credential: () => current() as never });
    await assert.rejects(client.getToken(), failure);
    current = () => ({ chain: [] });
    await assert.rejects(client.getToken(), { code: "invalid_argument" });
    current = () => server.credential;
    await client.getToken();
  });
});

describe("a refresh token", () => {
  const giving = (refresh_token: string): Script => changed({ refresh_token });
  const grants = (forms: Record<string, string>[]) =>
    forms.map(({ grant_type, refresh_token = "" }) => `${grant_type} ${refresh_token}`.trim());

  it("is used for the next token, and replaced by what the server rotates it to", async () => {
    const server = await fakeServer();
    const client = server.client();
    server.script("token", giving("r1"), giving("r2"), changed({}));
    for (let i = 0; i < 4; i++) await client.getToken({ scope: "a", forceRefresh: i > 0 });
    assert.deepEqual(grants(server.forms()), [
      "client_credentials",
      "refresh_token r1",
      "refresh_token r2",
      "refresh_token r2",
    ]);
    assert.equal(server.forms()[1]!.client_id, "client");
    assert.equal(server.forms()[1]!.scope, "a");
  });

  it("that the server doesn't take any more gives way to the client's credentials, once", async () => {
    const server = await fakeServer();
    const client = server.client();
    server.script("token", giving("r1"), status(400, { error: "invalid_grant" }));
    await client.getToken();
    await client.getToken({ forceRefresh: true });
    await client.getToken({ forceRefresh: true });
    assert.deepEqual(grants(server.forms()), [
      "client_credentials",
      "refresh_token r1",
      "client_credentials",
      "client_credentials",
    ]);
    const refusing = status(400, { error: "invalid_grant" });
    server.script("token", giving("r2"), refusing, refusing);
    await client.getToken({ forceRefresh: true });
    await assert.rejects(client.getToken({ forceRefresh: true }), { code: "invalid_grant" });
    assert.equal(server.counts(), "1+7+0+0");
  });

  it("answers for its own question and its own certificate only", async () => {
    const server = await fakeServer();
    let current = server.credential;
    const client = server.client({ credential: () => current });
    server.script("token", giving("r1"));
    await client.getToken();
    await client.getToken({ scope: "a" });
    current = await server.newCredential();
    await client.getToken({ forceRefresh: true });
    assert.deepEqual(grants(server.forms()), [
      "client_credentials",
      "client_credentials",
      "client_credentials",
    ]);
  });

  it("is never sent twice at the same time, nor again when nobody knows what became of it", async () => {
    const server = await fakeServer();
    const client = server.client();
    server.script("token", giving("r1"));
    const first = await client.getToken();
    await server.clock.advance(first.refreshOn! - server.clock.now());
    let release = () => {};
    const held = new Promise<void>((resolve) => release = resolve);
    server.script("token", async (_sent, regular) => {
      await held;
      return await regular();
    });
    await client.getToken();
    await client.getToken({ forceRefresh: true });
    release();
    await until(() => server.events.some(({ type }) => type === "refresh"));
    assert.deepEqual(grants(server.forms()).slice(1), ["refresh_token r1", "client_credentials"]);
  });

  it("doesn't come out with the token", async () => {
    const server = await fakeServer();
    server.script("token", giving("r1-very-secret"));
    const token = await server.client().getToken();
    assert.equal(JSON.stringify([token, server.events]).includes("r1-very-secret"), false);
  });
});
