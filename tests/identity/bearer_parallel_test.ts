/**
 * Many callers at once: one request a question, limits towards the metadata service, callers who
 * leave, and answers that overtake each other (protocol.md sections 6.8, 10.9).
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { settle } from "../support/clock.ts";
import { VAULT } from "../support/fake_azure.ts";
import { until } from "../support/waiting.ts";
import {
  anyToken,
  BEARER,
  bearerHost,
  ENVIRONMENTS,
  numbered,
  type SentRequest,
  SOURCES,
} from "./support/bearer_host.ts";

/** Answers that come when the test says so, by the number of the request. */
function held() {
  const open: ((response: Response) => void)[] = [];
  const source = (i: number) =>
    new Promise<Response>((resolve) => {
      open[i] = resolve;
    });
  const token = (i: number) => open[i]!(Response.json({ access_token: `t${i}`, expires_on: 3600 }));
  return { open, source, token };
}

describe("50 callers at once", () => {
  it("make one request for one resource, of every source", async () => {
    for (const [source, environment] of SOURCES) {
      const { identity: make, settings, sent } = await bearerHost(environment);
      const identity = make();
      settings.source = numbered();
      const all = await Promise.all(Array.from({ length: 50 }, () => identity.getToken(BEARER)));
      assert.equal(new Set(all.map(({ accessToken }) => accessToken)).size, 1);
      assert.equal(sent.length, 1, source);
    }
  });

  it("make ten requests for ten resources", async () => {
    const { identity: make, sent } = await bearerHost();
    const identity = make();
    const all = await Promise.all(
      Array.from(
        { length: 50 },
        (_, i) => identity.getToken({ resource: `https://r${i % 10}.example`, binding: "bearer" }),
      ),
    );
    assert.equal(new Set(all.map(({ accessToken }) => accessToken)).size, 10);
    assert.equal(sent.length, 10);
  });

  it("share a failure, and the next who comes asks again", async () => {
    const { identity: make, settings, sent } = await bearerHost();
    const identity = make();
    settings.source = () => new Response("{}", { status: 400 });
    const all = await Promise.allSettled(
      Array.from({ length: 50 }, () => identity.getToken(BEARER)),
    );
    assert.ok(all.every(({ status }) => status === "rejected"));
    assert.equal(sent.length, 1);
    settings.source = anyToken;
    await identity.getToken(BEARER);
    assert.equal(sent.length, 2);
  });

  it("of bearer and bound tokens don't wait for each other", async () => {
    const { identity: make, settings, azure, sent } = await bearerHost(ENVIRONMENTS.Imds);
    const { source, token } = held();
    settings.source = source;
    const identity = make();
    const bearer = identity.getToken(BEARER);
    assert.equal((await identity.getToken({ resource: VAULT })).tokenType, "mtls_pop");
    token(0);
    assert.equal((await bearer).tokenType, "Bearer");
    assert.deepEqual([sent.length, azure.counts()], [1, "1+1+1+0"]);
  });
});

describe("the metadata service", () => {
  it("is asked 5 at a time and 20 a second by all identities of one bearerTokens", async () => {
    const { identity: make, settings, sent, azure: { clock } } = await bearerHost(
      ENVIRONMENTS.Imds,
    );
    let open: (() => void)[] = [];
    settings.source = () => new Promise((resolve) => open.push(() => resolve(anyToken())));
    const calls = Array.from(
      { length: 30 },
      (_, i) => make({ clientId: `c${i}` }).getToken(BEARER),
    );
    let most = 0;
    const answerAll = async (total: number) => {
      while (sent.length < total || open.length > 0) {
        await until(() => open.length > 0);
        await settle();
        most = Math.max(most, open.length);
        const now = open;
        open = [];
        for (const answer of now) answer();
        await settle();
      }
    };
    await answerAll(20);
    await clock.advance(999);
    assert.equal(sent.length, 20);
    await clock.advance(1);
    await answerAll(30);
    await Promise.all(calls);
    assert.equal(most, 5);
  });

  it("is another's for another bearerTokens", async () => {
    const hosts = await Promise.all([1, 2].map(() => bearerHost(ENVIRONMENTS.Imds)));
    for (const { identity: make, settings, sent } of hosts) {
      settings.source = () => new Promise(() => {});
      for (let i = 0; i < 8; i++) make({ clientId: `c${i}` }).getToken(BEARER).catch(() => {});
      await until(() => sent.length === 5);
    }
  });
});

describe("a caller who leaves", () => {
  it("gets the reason at once; the others get the token", async () => {
    const { identity: make, settings, sent } = await bearerHost();
    const { source, token } = held();
    settings.source = source;
    const identity = make();
    const controller = new AbortController();
    const leaving = identity.getToken({ ...BEARER, signal: controller.signal });
    const staying = identity.getToken(BEARER);
    await until(() => sent.length === 1);
    const reason = new Error("no longer wanted");
    controller.abort(reason);
    await assert.rejects(leaving, reason);
    token(0);
    assert.equal((await staying).accessToken, "t0");
    assert.equal(sent.length, 1);
  });

  it("as the last one ends the request, and the next caller makes a new one", async () => {
    const { identity: make, settings, sent } = await bearerHost();
    const signals: AbortSignal[] = [];
    settings.source = (_i, _request, signal) => {
      signals.push(signal);
      return new Promise(() => {});
    };
    const identity = make();
    const controllers = [new AbortController(), new AbortController()];
    const calls = controllers.map(({ signal }) => identity.getToken({ ...BEARER, signal }));
    const done = Promise.allSettled(calls);
    await until(() => sent.length === 1);
    controllers[0]!.abort();
    await settle();
    assert.equal(signals[0]!.aborted, false);
    controllers[1]!.abort();
    await done;
    assert.equal(signals[0]!.aborted, true);
    settings.source = anyToken;
    await identity.getToken(BEARER);
    assert.equal(sent.length, 2);
  });

  it("before the call makes none", async () => {
    const { identity: make, sent } = await bearerHost();
    const identity = make();
    const reason = new Error("no longer wanted");
    const signal = AbortSignal.abort(reason);
    await assert.rejects(identity.getToken({ ...BEARER, signal }), reason);
    await identity.getToken(BEARER);
    await assert.rejects(identity.getToken({ ...BEARER, signal }), reason, "not even from memory");
    assert.equal(sent.length, 1);
  });

  it("of an identity that is closed gets 'closed', and the request ends", async () => {
    const { identity: make, settings, sent, azure: { clock } } = await bearerHost();
    const seen: AbortSignal[] = [];
    settings.source = (_i: number, _request: SentRequest, signal: AbortSignal) => {
      seen.push(signal);
      return new Promise(() => {});
    };
    const identity = make();
    const pending = identity.getToken(BEARER);
    pending.catch(() => {});
    await until(() => sent.length === 1);
    await identity.close();
    await assert.rejects(pending, { code: "closed" });
    assert.equal(seen[0]!.aborted, true);
    assert.equal(clock.sleepers, 0);
  });
});

describe("of two answers on their way at once", () => {
  it("the one asked for later stays, whichever comes first", async () => {
    for (const order of [[0, 1], [1, 0]]) {
      const { identity: make, settings, sent } = await bearerHost();
      const { source, token } = held();
      settings.source = source;
      const identity = make();
      const plain = identity.getToken(BEARER);
      await until(() => sent.length === 1);
      const claims = identity.getToken({ ...BEARER, claims: "{}" });
      await until(() => sent.length === 2);
      const calls = [plain, claims];
      for (const i of order) {
        token(i!);
        assert.equal((await calls[i!]!).accessToken, `t${i}`);
      }
      assert.equal((await identity.getToken(BEARER)).accessToken, "t1", String(order));
    }
  });

  it("also where the clock is put back in between", async () => {
    const host = await bearerHost();
    const { source, token } = held();
    host.settings.source = source;
    let offset = 0;
    const { clock } = host.azure;
    const identity = host.identity({
      clock: { now: () => clock.now() + offset, sleep: clock.sleep },
    });
    const first = identity.getToken(BEARER);
    await until(() => host.sent.length === 1);
    token(0);
    await first;
    offset = -2000;
    const forced = identity.getToken({ ...BEARER, forceRefresh: true });
    await until(() => host.sent.length === 2);
    token(1);
    await forced;
    assert.equal((await identity.getToken(BEARER)).accessToken, "t1");
  });

  it("bound ones, too: a challenge's token isn't lost to one asked for before", async () => {
    const { azure } = await bearerHost();
    const identity = azure.identity();
    await identity.getToken({ resource: "https://other.example" });
    const release: (() => void)[] = [];
    const hold = async (_sent: unknown, regular: () => Promise<Response>) => {
      await new Promise<void>((resolve) => release.push(resolve));
      return await regular();
    };
    azure.script("token", hold, hold);
    const plain = identity.getToken({ resource: VAULT });
    await until(() => release.length === 1);
    await azure.clock.advance(1);
    const claims = identity.getToken({ resource: VAULT, claims: "{}" });
    await until(() => release.length === 2);
    await azure.clock.advance(1);
    release[0]!();
    await plain;
    await azure.clock.advance(1);
    release[1]!();
    const challenged = await claims;
    const { accessToken } = await identity.getToken({ resource: VAULT });
    assert.equal(accessToken, challenged.accessToken);
  });
});
