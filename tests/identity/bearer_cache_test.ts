/**
 * Bearer tokens of a managed identity in memory: what answers for what, and for how long (protocol.md
 * sections 6.2, 6.6, 6.7, 10.9).
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { status, VAULT } from "../support/fake_azure.ts";
import {
  BEARER,
  bearerHost,
  ENVIRONMENTS,
  numbered,
  SOURCES,
  withoutImdsV2,
} from "./support/bearer_host.ts";

const MINUTE = 60_000;

describe("a bearer token in memory", () => {
  it("is served again, from every source, as the same promise", async () => {
    for (const [source, environment] of SOURCES) {
      const { identity: make, sent } = await bearerHost(environment);
      const identity = make();
      const first = await identity.getToken(BEARER);
      assert.deepEqual(
        [first.tokenType, first.source, first.fromCache, first.binding],
        ["Bearer", source, false, undefined],
      );
      const second = identity.getToken(BEARER);
      assert.equal(identity.getToken(BEARER), second);
      const { fromCache, ...again } = await second;
      assert.equal(fromCache, true);
      assert.deepEqual({ ...again, fromCache: false }, { ...first });
      assert.ok(Object.isFrozen(first) && Object.isFrozen(await second));
      assert.equal(sent.length, 1, source);
    }
  });

  it("is each resource's own, the same with and without /.default", async () => {
    const { identity: make, sent } = await bearerHost();
    const identity = make();
    const ask = async (resource: string) =>
      (await identity.getToken({ resource, binding: "bearer" })).accessToken;
    const tokens = [await ask(VAULT), await ask("https://vault.azure.cn"), await ask(`${VAULT}/`)];
    assert.equal(new Set(tokens).size, 3);
    assert.equal(await ask(`${VAULT}/.default`), tokens[0]);
    assert.equal(sent.length, 3);
    assert.ok(sent.every(({ url }) => !url.includes(".default")));
  });

  it("is for no resource that is none, which is refused before any request", async () => {
    const { identity: make, sent } = await bearerHost();
    const identity = make();
    for (const resource of [undefined, null, "", " ", "/.default", "a b", 7] as string[]) {
      await assert.rejects(identity.getToken({ resource, binding: "bearer" }), {
        code: "invalid_argument",
      });
    }
    assert.equal(sent.length, 0);
  });

  it("is each identity's own, user-assigned or the host's", async () => {
    const { identity: make, sent } = await bearerHost();
    const identities = [{}, { clientId: "c" }, { objectId: "c" }, { resourceId: "c" }].map((id) =>
      make(id)
    );
    for (let round = 0; round < 2; round++) {
      for (const [i, identity] of identities.entries()) {
        assert.equal((await identity.getToken(BEARER)).accessToken, `token-${i}`);
      }
    }
    assert.deepEqual(
      sent.map(({ url }) => /(client_id|object_id|mi_res_id)=c$/.exec(url)?.[1]),
      [undefined, "client_id", "object_id", "mi_res_id"],
    );
  });

  it("never answers for a bound one, nor a bound one for it", async () => {
    const { identity: make, azure, sent } = await bearerHost(ENVIRONMENTS.Imds);
    const identity = make();
    const bearer = await identity.getToken(BEARER);
    const bound = await identity.getToken({ resource: VAULT });
    assert.equal(bound.tokenType, "mtls_pop");
    assert.equal(bound.fromCache, false);
    assert.deepEqual([sent.length, azure.counts()], [1, "1+1+1+0"]);
    assert.equal((await identity.getToken(BEARER)).accessToken, bearer.accessToken);
    const again = await identity.getToken({ resource: VAULT });
    assert.equal(again.accessToken, bound.accessToken);
    assert.deepEqual([sent.length, azure.counts()], [1, "1+1+1+0"]);
  });

  it("is each set of extra query parameters' own, in any order", async () => {
    const { identity: make, sent } = await bearerHost();
    const identity = make();
    const ask = async (extraQueryParameters?: Record<string, string>) =>
      (await identity.getToken({ ...BEARER, extraQueryParameters })).accessToken;
    const different: (Record<string, string> | undefined)[] = [
      undefined,
      { a: "1" },
      { a: "2" },
      { b: "1" },
      { a: "1", b: "2" },
      { "a\u2028": "1" },
      { a: "", b: "" },
    ];
    const tokens = [];
    for (const parameters of different) tokens.push(await ask(parameters));
    assert.equal(new Set(tokens).size, different.length);
    assert.equal(await ask({ b: "2", a: "1" }), tokens[4]);
    assert.equal(await ask({}), tokens[0]);
    assert.equal(sent.length, different.length);
  });

  it("is served until 5 minutes before its end, the boundary excluded", async () => {
    const { identity: make, azure: { clock } } = await bearerHost();
    const identity = make();
    await identity.getToken(BEARER);
    await clock.advance(55 * MINUTE - 1);
    assert.equal((await identity.getToken(BEARER)).fromCache, true);
    await clock.advance(1);
    assert.equal((await identity.getToken(BEARER)).accessToken, "token-1");
  });

  it("isn't kept where it lives 5 minutes or less, or over 10 years", async () => {
    const decade = 10 * 365 * 24 * 3600;
    for (
      const [life, isKept] of [[300, false], [301, true], [decade, true], [
        decade + 1,
        false,
      ]] as const
    ) {
      const { identity: make, settings, azure: { clock } } = await bearerHost();
      settings.source = numbered(life < 1e6 ? life : clock.now() / 1000 + life);
      const identity = make();
      assert.equal((await identity.getToken(BEARER)).expiresOn, clock.now() + life * 1000);
      assert.equal((await identity.getToken(BEARER)).fromCache, isKept, String(life));
    }
  });

  it("isn't served by a clock that was put back before it was received", async () => {
    const host = await bearerHost();
    let offset = 0;
    const { clock } = host.azure;
    const identity = host.identity({
      clock: { now: () => clock.now() + offset, sleep: clock.sleep },
    });
    await identity.getToken(BEARER);
    offset = -5 * MINUTE;
    assert.equal((await identity.getToken(BEARER)).fromCache, true);
    offset = -5 * MINUTE - 1;
    assert.equal((await identity.getToken(BEARER)).accessToken, "token-1");
  });

  it("is found whatever resource the answer says it is for", async () => {
    const { identity: make, settings, sent } = await bearerHost();
    settings.source = () =>
      Response.json({ access_token: "t", expires_on: 3600, resource: "https://vault.azure.net/" });
    const identity = make();
    await identity.getToken(BEARER);
    assert.equal((await identity.getToken(BEARER)).fromCache, true);
    assert.equal(sent.length, 1);
  });

  it("is asked for anew by forceRefresh, and the new one is kept", async () => {
    const { identity: make } = await bearerHost();
    const identity = make();
    await identity.getToken(BEARER);
    const forced = await identity.getToken({ ...BEARER, forceRefresh: true });
    assert.deepEqual([forced.accessToken, forced.fromCache], ["token-1", false]);
    assert.equal((await identity.getToken(BEARER)).accessToken, "token-1");
  });

  it("stays where a forced one fails", async () => {
    const { identity: make, settings } = await bearerHost();
    const identity = make();
    await identity.getToken(BEARER);
    settings.source = () => new Response("{}", { status: 400 });
    await assert.rejects(identity.getToken({ ...BEARER, forceRefresh: true }), {
      code: "managed_identity_request_failed",
    });
    assert.equal((await identity.getToken(BEARER)).accessToken, "token-0");
  });

  it("shares the room with bound ones: the one used longest ago goes", async () => {
    const { identity: make } = await bearerHost(ENVIRONMENTS.Imds);
    const identity = make({ tokenCacheSize: 2 });
    const bearer = async () => (await identity.getToken(BEARER)).fromCache;
    const bound = async () => (await identity.getToken({ resource: VAULT })).fromCache;
    const other = async () =>
      (await identity.getToken({ resource: "https://o.example", binding: "bearer" })).fromCache;
    assert.deepEqual([await bearer(), await bound(), await bearer()], [false, false, true]);
    assert.deepEqual([await other(), await bearer(), await bound()], [false, true, false]);
    assert.deepEqual([await bearer(), await other()], [true, false]);
  });

  it("stays when a certificate and the tokens bound to it are thrown away", async () => {
    const { identity: make, azure, sent } = await bearerHost(ENVIRONMENTS.Imds);
    const identity = make();
    const bearer = await identity.getToken(BEARER);
    const first = await identity.getToken({ resource: VAULT });
    const old = await identity.getToken({ resource: "https://old.example" });
    azure.script("token", status(400, { error: "invalid_client" }));
    await identity.getToken({ resource: "https://other.example" });
    const evictions = azure.events.flatMap((event) => event.type === "evict" ? [event.tokens] : []);
    assert.deepEqual(evictions, [2], "the two bound tokens are counted, the bearer token isn't");
    assert.equal((await identity.getToken(BEARER)).accessToken, bearer.accessToken);
    assert.equal(sent.length, 1);
    for (const [resource, gone] of [[VAULT, first], ["https://old.example", old]] as const) {
      const next = await identity.getToken({ resource });
      assert.equal(next.fromCache, false);
      assert.notEqual(
        next.binding.credential.thumbprint,
        gone.binding.credential.thumbprint,
      );
    }
  });

  it("of a closed identity isn't served any more", async () => {
    const { identity: make } = withoutImdsV2(await bearerHost(ENVIRONMENTS.Imds));
    const identity = make();
    await identity.getToken(BEARER);
    await identity.close();
    for (const binding of ["bearer", "preferred", "mtls_pop"] as const) {
      await assert.rejects(identity.getToken({ resource: VAULT, binding }), { code: "closed" });
      await assert.rejects(
        identity.getToken({ resource: VAULT, binding, forceRefresh: true }),
        { code: "closed" },
      );
    }
  });
});

describe("what is asked of a bearer token that it can't have", () => {
  const wrong = [
    { attest: true },
    { minStrength: "software" },
    { clientClaims: "{}" },
    { extraQueryParameters: { "a\n": "1" } },
    { extraQueryParameters: { a: "\ud800" } },
    { extraQueryParameters: { a: "x".repeat(2049) } },
    { extraQueryParameters: { a: 1 } as unknown as Record<string, string> },
    {
      extraQueryParameters: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`p${i}`, ""])),
    },
  ] as const;
  for (const more of wrong) {
    it(`(${JSON.stringify(more).slice(0, 50)}) is refused before any request`, async () => {
      const { identity: make, sent, azure } = await bearerHost(ENVIRONMENTS.Imds);
      const identity = make();
      for (const binding of ["bearer", "preferred"] as const) {
        await assert.rejects(identity.getToken({ resource: VAULT, binding, ...more }), {
          code: "invalid_argument",
        });
      }
      assert.deepEqual([sent.length, azure.sent.length], [0, 0]);
    });
  }

  it("is said of a wish that is none, too", async () => {
    const { identity: make, sent, azure } = await bearerHost(ENVIRONMENTS.Imds);
    const binding = "bound" as "bearer";
    await assert.rejects(make().getToken({ resource: VAULT, binding }), {
      code: "invalid_argument",
    });
    await assert.rejects(make().fetch("https://v.example/", { resource: VAULT, binding }), {
      code: "invalid_argument",
    });
    assert.deepEqual([sent.length, azure.sent.length], [0, 0]);
  });

  it("is said of extra query parameters with anything but 'bearer'", async () => {
    const { identity: make, sent, azure } = await bearerHost(ENVIRONMENTS.Imds);
    for (const binding of ["mtls_pop", "preferred", undefined] as const) {
      const asked = { resource: VAULT, binding, extraQueryParameters: { a: "1" } };
      await assert.rejects(make().getToken(asked), { code: "invalid_argument" });
      await assert.rejects(make().fetch("https://v.example/", asked), { code: "invalid_argument" });
    }
    assert.deepEqual([sent.length, azure.sent.length], [0, 0]);
  });

  it("is said where nobody gives bearer tokens", async () => {
    const { azure } = await bearerHost();
    const identity = azure.identity();
    for (const binding of ["bearer", "preferred"] as const) {
      await assert.rejects(identity.getToken({ resource: VAULT, binding }), {
        code: "invalid_argument",
      });
      await assert.rejects(identity.fetch("https://v.example/", { resource: VAULT, binding }), {
        code: "invalid_argument",
      });
    }
    await assert.rejects(identity.capabilities(), { code: "invalid_argument" });
    assert.equal(azure.sent.length, 0);
  });
});
