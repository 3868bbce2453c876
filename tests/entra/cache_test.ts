/**
 * Tokens of confidential clients in memory: whose they are, what they are served for, and when the
 * credential function is asked.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { EntraTokenOptions } from "../../src/entra/options.ts";
import { webcryptoKeys } from "../../backends/webcrypto/mod.ts";
import { EPOCH, HOUR, settle } from "../support/clock.ts";
import { DAY } from "../support/fake_azure.ts";
import { until } from "../support/waiting.ts";
import { AUTHORITY, fakeEntra, newCredential, SCOPE, status } from "./support/fake_entra.ts";

describe("a confidential client's token", () => {
  it("is served from memory, without a promise of its own", async () => {
    const entra = fakeEntra();
    const client = await entra.client();
    const first = await client.getToken({ scope: SCOPE });
    const again = client.getToken({ scope: SCOPE });
    assert.equal(client.getToken({ resource: "https://vault.azure.net" }), again);
    const { fromCache, accessToken, binding } = await again;
    assert.deepEqual([fromCache, accessToken], [true, first.accessToken]);
    assert.equal(binding.credential, first.binding.credential);
    assert.equal(entra.counts(), "1+0+0+0");
  });

  const others: [name: string, asked: Record<string, unknown>][] = [
    ["another scope", { scope: "https://management.azure.com/.default" }],
    ["another tenant", { scope: SCOPE, tenantId: "contoso.com" }],
    ["the path of a federated identity", { scope: SCOPE, fmiPath: "a/b" }],
    ["other client claims", { scope: SCOPE, clientClaims: '{"a":1}' }],
    ["a claims challenge", { scope: SCOPE, claims: '{"a":1}' }],
    ["a new one by force", { scope: SCOPE, forceRefresh: true }],
  ];
  for (const [name, asked] of others) {
    it(`isn't served for ${name}`, async () => {
      const entra = fakeEntra();
      const client = await entra.client();
      await client.getToken({ scope: SCOPE });
      const other = await client.getToken(asked as { scope: string });
      assert.equal(other.fromCache, false);
      assert.equal(entra.counts(), "2+0+0+0");
    });

    it(`under way isn't shared with who wants ${name}`, async () => {
      const entra = fakeEntra();
      const client = await entra.client();
      const wanted = [{ scope: SCOPE }, asked as { scope: string }];
      const tokens = await Promise.all(wanted.map((each) => client.getToken(each)));
      assert.notEqual(tokens[0]!.accessToken, tokens[1]!.accessToken);
      assert.equal(entra.counts(), "2+0+0+0");
    });
  }

  it("under way isn't shared by names that only look alike when they are joined", async () => {
    const entra = fakeEntra();
    const client = await entra.client();
    const [claims, other] = ['{"a":\n1}', '{"a":1}'];
    const wanted: EntraTokenOptions[] = [
      { scope: SCOPE, claims },
      { scope: SCOPE, claims: other },
      { scope: SCOPE, clientClaims: claims },
      { scope: SCOPE, clientClaims: other },
      { scope: SCOPE, claims, clientClaims: claims },
      { scope: SCOPE, fmiPath: other },
      { scope: SCOPE, fmiPath: other, clientClaims: claims },
      { scope: SCOPE, fmiPath: SCOPE },
      { scope: `${SCOPE}undefined` },
    ];
    const tokens = await Promise.all(wanted.map((each) => client.getToken(each)));
    const texts = new Set(tokens.map(({ accessToken }) => accessToken));
    assert.deepEqual([texts.size, entra.counts()], [wanted.length, `${wanted.length}+0+0+0`]);
  });

  it("is never served bound for bearer or bearer for bound", async () => {
    const entra = fakeEntra();
    const own = await newCredential();
    const client = await entra.client({
      credential: { assertion: () => ({ assertion: "a", credential: own }) },
    });
    for (let round = 0; round < 2; round++) {
      const bearer = await client.getToken({ scope: SCOPE, binding: "bearer" });
      const bound = await client.getToken({ scope: SCOPE });
      assert.deepEqual([bearer.tokenType, bound.tokenType], ["Bearer", "mtls_pop"]);
      assert.deepEqual([bearer.fromCache, bound.fromCache], [round === 1, round === 1]);
      assert.equal(bearer.binding, undefined);
    }
    assert.equal(entra.counts(), "2+0+0+0");
  });

  it("isn't shared with a client of another authority or certificate", async () => {
    const entra = fakeEntra();
    const [key, issued] = [await webcryptoKeys().create("k", { algorithm: "P-256" }), EPOCH];
    const credential = await newCredential({ key });
    // Same key, renewed certificate.
    const renewed = await newCredential({ key, notBefore: issued + 1000 });
    const clients = [
      await entra.client({ credential }),
      await entra.client({ credential: renewed }),
      await entra.client({ credential, authority: AUTHORITY.replace(".com", ".us") }),
    ];
    await entra.clock.advance(2000);
    const tokens = await Promise.all(clients.map((client) => client.getToken({ scope: SCOPE })));
    assert.equal(new Set(tokens.map(({ accessToken }) => accessToken)).size, 3);
    assert.equal(tokens[1]!.binding.credential, renewed);
    assert.equal(entra.counts(), "3+0+0+0");
  });

  it("is asked for once by all who ask at the same time", async () => {
    const entra = fakeEntra();
    let calls = 0;
    const own = await newCredential();
    const client = await entra.client({ credential: () => (calls++, own) });
    const asked = Array.from({ length: 50 }, () => client.getToken({ scope: SCOPE }));
    assert.equal(new Set((await Promise.all(asked)).map((token) => token.accessToken)).size, 1);
    assert.deepEqual([entra.counts(), calls], ["1+0+0+0", 1]);
  });

  it("is refreshed in the background when that is due, and a failure loses nothing", async () => {
    const entra = fakeEntra();
    entra.refreshIn = 4 * HOUR;
    const client = await entra.client();
    const first = await client.getToken({ scope: SCOPE });
    entra.script("mtls", status(400, { error: "invalid_request" }));
    await entra.clock.advance(5 * HOUR);
    assert.equal((await client.getToken({ scope: SCOPE })).accessToken, first.accessToken);
    await until(() => entra.events.some(({ type }) => type === "refresh"));
    assert.equal((await client.getToken({ scope: SCOPE })).accessToken, first.accessToken);
    await entra.clock.advance(61_000);
    assert.equal((await client.getToken({ scope: SCOPE })).accessToken, first.accessToken);
    await until(() => entra.events.filter(({ type }) => type === "refresh").length === 2);
    const after = await client.getToken({ scope: SCOPE });
    assert.notEqual(after.accessToken, first.accessToken);
    assert.equal(entra.counts(), "3+0+0+0");
  });

  it("is refreshed once a minute at most, however soon the server wants it", async () => {
    const entra = fakeEntra();
    entra.refreshIn = 0;
    let calls = 0;
    const own = await newCredential();
    const client = await entra.client({ credential: () => (calls++, own) });
    for (let i = 0; i < 10; i++) {
      await client.getToken({ scope: SCOPE });
      await settle();
    }
    assert.deepEqual([entra.counts(), calls], ["2+0+0+0", 2]);
    await entra.clock.advance(60_000);
    await client.getToken({ scope: SCOPE });
    await settle();
    assert.equal(calls, 3);
  });

  it("isn't served with 5 minutes left, nor beyond its certificate's end", async () => {
    const entra = fakeEntra();
    const client = await entra.client();
    await client.getToken({ scope: SCOPE });
    await entra.clock.advance(DAY - 5 * 60_000);
    assert.equal((await client.getToken({ scope: SCOPE })).fromCache, false);

    const short = await newCredential({ notBefore: entra.clock.now(), lifetime: HOUR });
    const next = await newCredential({ notBefore: entra.clock.now(), lifetime: 2 * HOUR });
    const credentials = [short, next];
    const rotating = await entra.client({ credential: () => credentials.shift()! });
    await rotating.getToken({ scope: SCOPE });
    await entra.clock.advance(HOUR - 1000);
    assert.equal((await rotating.getToken({ scope: SCOPE })).binding.credential, short);
    await entra.clock.advance(1000);
    const { fromCache, binding } = await rotating.getToken({ scope: SCOPE });
    assert.deepEqual([fromCache, binding.credential], [false, next]);
  });
});

describe("a credential function", () => {
  it("is called once a token request, and not for a token from memory", async () => {
    const entra = fakeEntra();
    const own = await newCredential();
    let calls = 0;
    const client = await entra.client({ credential: async () => (calls++, await own) });
    await client.getToken({ scope: SCOPE });
    await client.getToken({ scope: SCOPE });
    assert.equal(calls, 1);
    await client.getToken({ scope: SCOPE, forceRefresh: true });
    assert.equal(calls, 2);
  });

  it("that gives assertions is called as often", async () => {
    const entra = fakeEntra();
    const own = await newCredential();
    let calls = 0;
    const client = await entra.client({
      credential: { assertion: () => (calls++, { assertion: "a", credential: own }) },
    });
    await client.getToken({ scope: SCOPE });
    await client.getToken({ scope: SCOPE });
    assert.equal(calls, 1);
    await client.getToken({ scope: SCOPE, binding: "bearer" });
    await client.getToken({ scope: SCOPE, binding: "bearer" });
    assert.equal(calls, 2);
  });

  it("that gives another pair each time never has them mixed", async () => {
    const entra = fakeEntra();
    const pairs = new Map<string, string>();
    const client = await entra.client({
      credential: {
        assertion: async () => {
          const credential = await newCredential();
          const assertion = crypto.randomUUID();
          pairs.set(assertion, credential.thumbprint);
          return { assertion, credential };
        },
      },
    });
    const asked = Array.from({ length: 20 }, (_, i) => client.getToken({ scope: `api://${i}/x` }));
    const tokens = await Promise.all(asked);
    for (const { form, thumbprint } of entra.sent) {
      assert.equal(pairs.get(form["client_assertion"]!), thumbprint);
    }
    assert.equal(new Set(tokens.map(({ binding }) => binding.credential)).size, 20);
  });

  it("that gives a new certificate moves tokens over to it in the background", async () => {
    const entra = fakeEntra();
    const [old, renewed] = [await newCredential(), await newCredential()];
    let own = old;
    const client = await entra.client({ credential: () => own });
    const first = await client.getToken({ scope: SCOPE });
    own = renewed;
    assert.equal((await client.getToken({ scope: SCOPE })).binding.credential, old);
    const other = await client.getToken({ scope: "api://other/.default" });
    assert.equal(other.binding.credential, renewed);
    assert.deepEqual(entra.retired, [old.thumbprint]);
    const still = await client.getToken({ scope: SCOPE });
    assert.equal(still.accessToken, first.accessToken);
    await until(() => entra.events.some(({ type }) => type === "refresh"));
    assert.equal((await client.getToken({ scope: SCOPE })).binding.credential, renewed);
  });

  it("that goes back and forth between two certificates costs two requests a minute", async () => {
    const entra = fakeEntra();
    const tenants = new Map([["a.example", await newCredential()], [
      "b.example",
      await newCredential(),
    ]]);
    const client = await entra.client({
      credential: {
        assertion: ({ tenantId }) => ({ assertion: "a", credential: tenants.get(tenantId)! }),
      },
    });
    for (let i = 0; i < 10; i++) {
      for (const [tenantId, credential] of tenants) {
        const { binding } = await client.getToken({ scope: SCOPE, tenantId });
        assert.equal(binding.credential, credential);
        await settle();
      }
    }
    assert.ok(entra.sent.length <= 4, `${entra.sent.length} requests`);
  });

  it("that gives a new certificate keeps bearer tokens, which belong to none", async () => {
    const entra = fakeEntra();
    const client = await entra.client({
      credential: {
        assertion: async () => ({ assertion: "a", credential: await newCredential() }),
      },
    });
    const first = await client.getToken({ scope: SCOPE, binding: "bearer" });
    await client.getToken({ scope: "api://other/.default", binding: "bearer" });
    const again = await client.getToken({ scope: SCOPE, binding: "bearer" });
    assert.equal(again.accessToken, first.accessToken);
    assert.equal(entra.counts(), "2+0+0+0");
  });
});
