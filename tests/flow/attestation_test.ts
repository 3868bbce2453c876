/**
 * Attested keys: fail closed (protocol.md sections 1.6, 5.3 and 5.4).
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { webcryptoKeys } from "../../backends/webcrypto/mod.ts";
import type { AttestationRequest, Attestor } from "../../src/attestation.ts";
import { cachingAttestor } from "../../src/caching_attestor.ts";
import { KeyboundError } from "../../src/errors.ts";
import type { KeyStrength } from "../../src/keys.ts";
import {
  claimingStrength,
  CLIENT_ID,
  type FakeAzure,
  fakeAzure,
  fakeJwt,
  VAULT,
} from "../support/fake_azure.ts";

const keyGuardHost = (strength: KeyStrength = "keyguard") =>
  fakeAzure({ keys: claimingStrength(webcryptoKeys(), strength) });

function attestor(attest: (request: AttestationRequest) => unknown): Attestor {
  return { name: "test", attest: async (request) => await attest(request) as string | undefined };
}

function attestationsSent(azure: FakeAzure): unknown[] {
  return azure.sent.filter(({ endpoint }) => endpoint === "issuecredential")
    .map(({ body }) => JSON.parse(body).attestation_token);
}

describe("an attested request", () => {
  it("sends the attestor's token, asked for with endpoint, key and client id", async () => {
    const azure = await keyGuardHost();
    const asked: AttestationRequest[] = [];
    const identity = azure.identity({
      attestor: attestor((request) => {
        asked.push(request);
        return "a.b.c";
      }),
    });
    const { binding } = await identity.getToken({ resource: VAULT, attest: true });
    assert.deepEqual(attestationsSent(azure), ["a.b.c"]);
    assert.equal(binding.attested, true);
    assert.deepEqual(asked.map(({ endpoint, clientId, key }) => [endpoint, clientId, key.id]), [
      ["https://attestation.example/", CLIENT_ID, "keybound"],
    ]);
  });

  it("has a certificate and a token of its own", async () => {
    const azure = await keyGuardHost();
    const identity = azure.identity({ attestor: attestor(() => "a.b.c") });
    await identity.getToken({ resource: VAULT, attest: true });
    await identity.getToken({ resource: VAULT });
    assert.equal(azure.counts(), "2+2+2+0");
    assert.deepEqual(attestationsSent(azure), ["a.b.c", undefined]);
    await identity.getToken({ resource: VAULT, attest: true });
    await identity.getToken({ resource: VAULT });
    assert.equal(azure.counts(), "2+2+2+0");
    for (const attested of [0, 1]) {
      const alias = `system_assigned_managed_identity#att=${attested}`;
      assert.equal((await azure.store.list(alias)).length, 1);
    }
  });

  it("asks no attestor when the certificate is there", async () => {
    const azure = await keyGuardHost();
    let calls = 0;
    const identity = azure.identity({ attestor: attestor(() => `a.b.${++calls}`) });
    await identity.getToken({ resource: VAULT, attest: true });
    await identity.getToken({ resource: VAULT, attest: true, forceRefresh: true });
    assert.equal(calls, 1);
  });

  const failures: [string, (request: AttestationRequest) => unknown, object][] = [
    ["null", () => null, { code: "attestation_failed" }],
    ["nothing", () => undefined, { code: "attestation_failed" }],
    ["an empty token", () => "", { code: "attestation_failed" }],
    ["white space", () => " \n", { code: "attestation_failed" }],
    ["an error", () => {
      throw new TypeError("boom");
    }, { code: "attestation_failed", cause: new TypeError("boom") }],
    ["an error of this library", () => {
      throw new KeyboundError("key_provider_unavailable", "No VBS.");
    }, { code: "key_provider_unavailable" }],
    ["a cancellation", () => {
      throw new DOMException("stop", "AbortError");
    }, { name: "AbortError" }],
  ];
  for (const [name, attest, expected] of failures) {
    it(`that gets ${name} asks for no certificate`, async () => {
      const azure = await keyGuardHost();
      const identity = azure.identity({ attestor: attestor(attest) });
      await assert.rejects(identity.getToken({ resource: VAULT, attest: true }), expected);
      assert.equal(azure.counts(), "1+0+0+0");
    });
  }

  it("is refused before any network for a key that isn't KeyGuard's", async () => {
    for (const strength of ["software", "hardware"] as const) {
      const azure = await keyGuardHost(strength);
      const identity = azure.identity({ attestor: attestor(() => "a.b.c") });
      const asked = identity.getToken({ resource: VAULT, attest: true });
      await assert.rejects(asked, { code: "mtls_pop_requires_keyguard" });
      assert.equal(azure.counts(), "0+0+0+0");
    }
  });

  it("is refused when the platform names no usable attestation service", async () => {
    const azure = await keyGuardHost();
    azure.always("getplatformmetadata", async (_sent, regular) => {
      const response = await regular();
      const metadata = { ...await response.json(), attestationEndpoint: "not-a-url" };
      return Response.json(metadata, { headers: response.headers });
    });
    const identity = azure.identity({ attestor: attestor(() => "a.b.c") });
    const asked = identity.getToken({ resource: VAULT, attest: true });
    await assert.rejects(asked, { code: "managed_identity_request_failed" });
    assert.equal(azure.counts(), "1+0+0+0");
  });
});

describe("a request that isn't attested", () => {
  it("says nothing for a KeyGuard key, and that there is nothing for any other", async () => {
    for (const [strength, sent] of [["keyguard", undefined], ["hardware", ""], ["software", ""]]) {
      const azure = await keyGuardHost(strength as KeyStrength);
      await azure.identity().getToken({ resource: VAULT });
      assert.deepEqual(attestationsSent(azure), [sent]);
    }
  });
});

describe("minStrength", () => {
  it("is met by a key at least as strong", async () => {
    for (const minStrength of ["software", "hardware", "keyguard"] as const) {
      const azure = await keyGuardHost();
      await azure.identity().getToken({ resource: VAULT, minStrength });
      assert.equal(azure.counts(), "1+1+1+0");
    }
  });

  it("that isn't met names both strengths, before any network", async () => {
    const azure = await keyGuardHost("software");
    const asked = azure.identity().getToken({ resource: VAULT, minStrength: "keyguard" });
    await assert.rejects(asked, { code: "min_strength_not_met", message: /software.*keyguard/ });
    assert.equal(azure.counts(), "0+0+0+0");
  });

  it("is part of the token's key but not of the certificate's", async () => {
    const azure = await keyGuardHost();
    const identity = azure.identity();
    await identity.getToken({ resource: VAULT });
    await identity.getToken({ resource: VAULT, minStrength: "hardware" });
    await identity.getToken({ resource: VAULT, minStrength: "hardware" });
    assert.equal(azure.counts(), "1+1+2+0");
  });

  it("is no reason to use a weaker key when the strong one has died", async () => {
    const inner = webcryptoKeys();
    let strength: KeyStrength = "keyguard";
    const azure = await fakeAzure({
      keys: {
        name: "degrading",
        open: (id) => claimingStrength(inner, strength).open(id),
        create: (id, options) => claimingStrength(inner, strength).create(id, options),
        remove: (id) => inner.remove(id),
      },
    });
    const identity = azure.identity();
    await identity.getToken({ resource: VAULT, minStrength: "keyguard" });
    await inner.remove("keybound");
    strength = "software";
    await azure.clock.advance(6 * 60_000);
    const asked = identity.getToken({
      resource: VAULT,
      minStrength: "keyguard",
      forceRefresh: true,
    });
    await assert.rejects(asked, { code: "min_strength_not_met" });
    assert.equal(azure.counts().split("+")[1], "1", "no certificate for the weaker key");
  });
});

describe("a caching attestor", () => {
  const MINUTE = 60_000;
  const jwt = (exp: unknown) => fakeJwt({ exp });

  async function cached(expOf: (now: number) => unknown) {
    const azure = await keyGuardHost();
    const key = await azure.keys.create("k", { algorithm: "P-256" });
    let calls = 0;
    const inner = attestor(() => {
      calls++;
      return jwt(expOf(azure.clock.now()));
    });
    const caching = cachingAttestor(inner, { clock: azure.clock });
    const ask = (endpoint = "https://a.example/", asked = key) =>
      caching.attest({ endpoint, key: asked, clientId: CLIENT_ID });
    return { azure, ask, calls: () => calls };
  }

  it("asks once while more than 5 minutes are left", async () => {
    for (const form of [Number, String]) {
      const { azure, ask, calls } = await cached((now) => form(Math.floor(now / 1000) + 3600));
      await ask();
      await azure.clock.advance(55 * MINUTE - 1);
      await ask();
      assert.equal(calls(), 1);
      await azure.clock.advance(1);
      await ask();
      assert.equal(calls(), 2);
    }
  });

  it("keeps none that doesn't say when it expires", async () => {
    for (const exp of [undefined, null, "soon", {}, -1]) {
      const { ask, calls } = await cached(() => exp);
      await ask();
      await ask();
      assert.equal(calls(), 2);
    }
  });

  it("keeps endpoints and keys apart, letter case and slash of an endpoint aside", async () => {
    const { azure, ask, calls } = await cached((now) => Math.floor(now / 1000) + 3600);
    await ask("https://a.example/");
    await ask("https://A.example");
    assert.equal(calls(), 1);
    await ask("https://b.example/");
    assert.equal(calls(), 2);
    await ask("https://a.example/", await azure.keys.create("k", { algorithm: "P-256" }));
    assert.equal(calls(), 3, "a new key under the old name");
  });

  it("asks once for five at a time", async () => {
    const { ask, calls } = await cached((now) => Math.floor(now / 1000) + 3600);
    await Promise.all(Array.from({ length: 5 }, () => ask()));
    assert.equal(calls(), 1);
  });

  it("keeps no failure", async () => {
    const azure = await keyGuardHost();
    const key = await azure.keys.create("k", { algorithm: "P-256" });
    const answers = [undefined, fakeJwt({ exp: 4_000_000_000 })];
    const caching = cachingAttestor(attestor(() => answers.shift()), { clock: azure.clock });
    const request = { endpoint: "https://a.example", key, clientId: CLIENT_ID };
    assert.equal(await caching.attest(request), undefined);
    assert.equal(typeof await caching.attest(request), "string");
  });

  it("spares the service when a certificate is replaced over the same key", async () => {
    const azure = await keyGuardHost();
    let calls = 0;
    const inner = attestor(() => {
      calls++;
      return jwt(Math.floor(azure.clock.now() / 1000) + 7200);
    });
    const identity = azure.identity({ attestor: cachingAttestor(inner, { clock: azure.clock }) });
    await identity.getToken({ resource: VAULT, attest: true });
    azure.script("token", () => Response.json({ error: "invalid_client" }, { status: 400 }));
    await identity.getToken({ resource: VAULT, attest: true, forceRefresh: true });
    assert.equal(azure.counts(), "2+2+3+0");
    assert.equal(calls, 1);
  });
});
