/**
 * What is served from memory, and when it is refreshed (protocol.md section 6).
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DAY, fakeAzure, status, VAULT } from "../support/fake_azure.ts";
import { until } from "../support/waiting.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

describe("a token in the cache", () => {
  it("is served until 5 minutes before its end, the boundary excluded", async () => {
    const azure = await fakeAzure();
    azure.settings.tokenLifetime = HOUR;
    const identity = azure.identity();
    await identity.getToken({ resource: VAULT });
    await azure.clock.advance(55 * MINUTE - 1);
    assert.equal((await identity.getToken({ resource: VAULT })).fromCache, true);
    await azure.clock.advance(1);
    assert.equal((await identity.getToken({ resource: VAULT })).fromCache, false);
    assert.equal(azure.counts(), "1+1+2+0");
  });

  it("that lives 5 minutes or less is returned but not kept", async () => {
    const azure = await fakeAzure();
    azure.settings.tokenLifetime = 5 * MINUTE;
    const identity = azure.identity();
    for (let i = 0; i < 2; i++) {
      assert.equal((await identity.getToken({ resource: VAULT })).fromCache, false);
    }
    assert.equal(azure.counts(), "1+1+2+0");
  });

  it("is refreshed in the background when the server advised, callers not waiting", async () => {
    const azure = await fakeAzure();
    azure.settings.refreshIn = 6 * HOUR;
    const identity = azure.identity();
    const first = await identity.getToken({ resource: VAULT });
    assert.equal(first.refreshOn, azure.clock.now() + 6 * HOUR);
    await azure.clock.advance(6 * HOUR);
    let release = () => {};
    const held = new Promise<void>((resolve) => release = resolve);
    azure.script("token", async (_sent, regular) => {
      await held;
      return await regular();
    });
    const during = await identity.getToken({ resource: VAULT });
    assert.equal(during.accessToken, first.accessToken);
    release();
    await until(() => azure.events.some(({ type }) => type === "refresh"));
    const after = await identity.getToken({ resource: VAULT });
    assert.notEqual(after.accessToken, first.accessToken);
    assert.equal(after.fromCache, true);
    assert.equal(azure.counts(), "1+1+2+0");
  });

  it("without advice is refreshed at half-life, if it lives more than 2 hours", async () => {
    for (const [life, refreshOn] of [[2 * HOUR, undefined], [3 * HOUR, 1.5 * HOUR]] as const) {
      const azure = await fakeAzure();
      azure.settings.tokenLifetime = life;
      const token = await azure.identity().getToken({ resource: VAULT });
      assert.equal(
        token.refreshOn,
        refreshOn === undefined ? undefined : azure.clock.now() + refreshOn,
      );
    }
  });

  it("survives a refresh that fails, which is tried again once a minute", async () => {
    const azure = await fakeAzure();
    azure.settings.refreshIn = HOUR;
    const identity = azure.identity();
    const first = await identity.getToken({ resource: VAULT });
    await azure.clock.advance(HOUR);
    azure.always("token", status(400, { error: "invalid_scope" }));
    for (let i = 0; i < 30; i++) {
      const { accessToken } = await identity.getToken({ resource: VAULT });
      assert.equal(accessToken, first.accessToken);
      await until(() => azure.events.some(({ type }) => type === "refresh"));
      await azure.clock.advance(2000);
    }
    assert.equal(azure.counts(), "1+1+2+0");
    await azure.clock.advance(1);
    await identity.getToken({ resource: VAULT });
    await until(() => azure.events.filter(({ type }) => type === "refresh").length === 2);
    const codes = azure.events.flatMap((e) => e.type === "refresh" ? [e.code] : []);
    assert.deepEqual(codes, ["invalid_scope", "invalid_scope"]);
  });

  it("answers for nothing else: each of these has its own", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity();
    const claims = '{"access_token":{"a":{"value":"1"}}}';
    const requests = [
      { resource: VAULT },
      { resource: "https://vault.azure.cn" },
      { resource: VAULT, minStrength: "software" as const },
      { resource: VAULT, clientClaims: claims },
      { resource: VAULT, clientClaims: '{"access_token":{"a":{"value":"2"}}}' },
    ];
    const tokens = [];
    for (const request of requests) tokens.push(await identity.getToken(request));
    assert.equal(new Set(tokens.map(({ accessToken }) => accessToken)).size, requests.length);
    assert.equal(azure.counts(), "1+1+5+0");
    for (const [i, request] of requests.entries()) {
      const again = await identity.getToken(request);
      assert.equal(again.accessToken, tokens[i]!.accessToken);
    }
    assert.equal(azure.counts(), "1+1+5+0");
  });

  it("is the same with and without /.default", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity();
    await identity.getToken({ resource: VAULT });
    assert.equal((await identity.getToken({ resource: `${VAULT}/.default` })).fromCache, true);
  });

  it("makes room when there are too many: the one used longest ago goes", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity({ tokenCacheSize: 2 });
    const ask = async (n: number) =>
      (await identity.getToken({ resource: `https://r${n}.example` })).fromCache;
    assert.deepEqual([await ask(1), await ask(2), await ask(1), await ask(3)], [
      false,
      false,
      true,
      false,
    ]);
    assert.equal(await ask(1), true);
    assert.equal(await ask(2), false);
  });

  it("makes room for a new one also where all are in use", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity({ tokenCacheSize: 2 });
    const ask = async (n: number) =>
      (await identity.getToken({ resource: `https://r${n}.example` })).fromCache;
    for (const n of [1, 2, 1, 2, 3]) await ask(n);
    assert.deepEqual([await ask(3), await ask(2), await ask(1)], [true, true, false]);
  });

  it("gives way to the one that a claims challenge brought", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity({ clientCapabilities: ["cp1"] });
    const first = await identity.getToken({ resource: VAULT });
    const challenge = '{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}';
    const second = await identity.getToken({ resource: VAULT, claims: challenge });
    assert.notEqual(second.accessToken, first.accessToken);
    const third = await identity.getToken({ resource: VAULT });
    assert.equal(third.accessToken, second.accessToken);
    const sent = azure.sent.filter(({ endpoint }) => endpoint === "token")
      .map(({ body }) => JSON.parse(new URLSearchParams(body).get("claims")!));
    assert.deepEqual(sent, [
      { access_token: { xms_cc: { values: ["cp1"] } } },
      {
        access_token: {
          xms_cc: { values: ["cp1"] },
          nbf: { essential: true, value: "1700000000" },
        },
      },
    ]);
  });

  it("isn't kept when its binding was evicted while it was on its way", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity();
    const { binding: { credential: { thumbprint: old } } } = await identity.getToken({
      resource: VAULT,
    });
    let release = () => {};
    const held = new Promise<void>((resolve) => release = resolve);
    azure.script("token", async (_sent, regular) => {
      await held;
      return await regular();
    });
    const slow = identity.getToken({ resource: "https://slow.example" });
    await until(() => azure.counts() === "1+1+2+0");
    azure.script("token", status(400, { error: "invalid_client" }));
    await identity.getToken({ resource: "https://other.example" });
    release();
    assert.equal((await slow).binding.credential.thumbprint, old);
    const next = await identity.getToken({ resource: "https://slow.example" });
    assert.notEqual(next.binding.credential.thumbprint, old);
  });
});

describe("a token request that the server wants held back", () => {
  it("fails without being sent until the time is up, others go through", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity();
    azure.script(
      "token",
      status(429, { error: "temporarily_unavailable" }, { "retry-after": "30" }),
    );
    const expected = { code: "temporarily_unavailable", status: 429, retryAfter: 30_000 };
    await assert.rejects(identity.getToken({ resource: VAULT }), expected);
    await azure.clock.advance(29_999);
    await assert.rejects(identity.getToken({ resource: VAULT }), expected);
    assert.equal(azure.counts(), "1+1+1+0");
    await identity.getToken({ resource: "https://management.azure.com" });
    await azure.clock.advance(1);
    await identity.getToken({ resource: VAULT });
    assert.equal(azure.counts(), "1+1+3+0");
  });

  it("is held back for an hour at most, and a minute after a 429 without a time", async () => {
    for (const [header, wait] of [[{ "retry-after": "999999" }, HOUR], [{}, MINUTE]] as const) {
      const azure = await fakeAzure();
      const identity = azure.identity();
      azure.script("token", status(429, undefined, { ...header }));
      await assert.rejects(identity.getToken({ resource: VAULT }), { code: "request_throttled" });
      await azure.clock.advance(wait - 1);
      await assert.rejects(identity.getToken({ resource: VAULT }), { code: "request_throttled" });
      await azure.clock.advance(1);
      await identity.getToken({ resource: VAULT });
    }
  });
});

describe("an identity", () => {
  it("shares nothing but the host with another", async () => {
    const azure = await fakeAzure();
    const ids = [
      {},
      { clientId: "6325cd32-9911-41f3-819c-416cdf9104e7" },
      { objectId: "ecb2ad92-3e30-4505-b79f-ac640d069f24" },
      { resourceId: "/subscriptions/x/resourcegroups/y/userAssignedIdentities/z" },
    ];
    for (const id of ids) await azure.identity(id).getToken({ resource: VAULT });
    assert.equal(azure.counts(), "4+4+4+0");
    const queries = azure.sent.filter(({ endpoint }) => endpoint === "issuecredential")
      .map(({ url }) => url.split("?")[1]);
    assert.deepEqual(queries, [
      "cred-api-version=2.0",
      "cred-api-version=2.0&client_id=6325cd32-9911-41f3-819c-416cdf9104e7",
      "cred-api-version=2.0&object_id=ecb2ad92-3e30-4505-b79f-ac640d069f24",
      "cred-api-version=2.0&mi_res_id=%2Fsubscriptions%2Fx%2Fresourcegroups%2Fy%2FuserAssignedIdentities%2Fz",
    ]);
    assert.equal((await azure.store.list("ecb2ad92-3e30-4505-b79f-ac640d069f24#att=0")).length, 1);
  });

  it("that is closed answers nothing any more, and what was under way ends", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity();
    azure.always("token", () => new Promise(() => {}));
    const pending = identity.getToken({ resource: VAULT });
    pending.catch(() => {});
    await until(() => azure.counts() === "1+1+1+0");
    await identity.close();
    await assert.rejects(pending, { code: "closed" });
    await assert.rejects(identity.getToken({ resource: VAULT }), { code: "closed" });
  });

  it("keeps tokens for a day by default", async () => {
    const azure = await fakeAzure();
    azure.settings.refreshIn = DAY;
    const identity = azure.identity();
    await identity.getToken({ resource: VAULT });
    await azure.clock.advance(DAY - 6 * MINUTE);
    assert.equal((await identity.getToken({ resource: VAULT })).fromCache, true);
  });
});
