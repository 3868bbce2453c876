/**
 * What one caller demands is that caller's affair, and what can't be right is told at once.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { claimingStrength, CLIENT_ID, fakeAzure, VAULT } from "../support/fake_azure.ts";
import { webcryptoKeys } from "../../backends/webcrypto/mod.ts";
import { until } from "../support/waiting.ts";
import { scriptedKeys } from "./support/scripted_keys.ts";

const OTHER = "https://management.azure.com";
const MINUTE = 60_000;
const CLAIMS = '{"access_token":{"a":{"value":"1"}}}';

describe("a caller's minStrength", () => {
  it("fails nobody else who waits for the same heal, and costs no request", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity();
    await identity.getToken({ resource: VAULT });
    await azure.keys.remove("keybound");
    await azure.clock.advance(6 * MINUTE);
    azure.forget();
    const strict = identity.getToken({ resource: OTHER, minStrength: "hardware" });
    const lax = identity.getToken({ resource: OTHER });
    await assert.rejects(strict, { code: "min_strength_not_met" });
    assert.equal((await lax).tokenType, "mtls_pop");
    assert.equal(azure.counts(), "1+1+1+0", "the lax one's own");
  });

  it("fails nobody else when only the key made by the heal is too weak", async () => {
    const keys = scriptedKeys();
    keys.strength = "hardware";
    const azure = await fakeAzure({ keys });
    const identity = azure.identity();
    await identity.getToken({ resource: VAULT });
    await azure.keys.remove("keybound");
    await azure.clock.advance(6 * MINUTE);
    keys.strength = "software";
    const strict = identity.getToken({ resource: OTHER, minStrength: "hardware" });
    const lax = identity.getToken({ resource: OTHER });
    lax.catch(() => {});
    await assert.rejects(strict, { code: "min_strength_not_met" });
    assert.equal((await lax).binding.credential.key.strength, "software");
  });
});

describe("identity.fetch", () => {
  const URL = "https://my-vault.vault.azure.net/secrets/s";

  it("passes minStrength on: nothing is sent with a key that is too weak", async () => {
    const azure = await fakeAzure();
    await azure.identity().getToken({ resource: OTHER });
    azure.forget();
    const asked = azure.identity().fetch(URL, { resource: VAULT, minStrength: "hardware" });
    await assert.rejects(asked, { code: "min_strength_not_met" });
    assert.equal(azure.counts(), "0+0+0+0");
  });

  it("passes attest on: the attestor's token is sent", async () => {
    const azure = await fakeAzure({ keys: claimingStrength(webcryptoKeys(), "keyguard") });
    const attestor = { name: "test", attest: () => Promise.resolve("a.b.c") };
    await azure.identity({ attestor }).fetch(URL, { resource: VAULT, attest: true });
    const issued = azure.sent.find(({ endpoint }) => endpoint === "issuecredential")!;
    assert.equal(JSON.parse(issued.body).attestation_token, "a.b.c");
    assert.equal(azure.counts(), "1+1+1+1");
  });

  it("passes clientClaims on: they are in the token request", async () => {
    const azure = await fakeAzure();
    await azure.identity().fetch(URL, { resource: VAULT, clientClaims: CLAIMS });
    const asked = azure.sent.find(({ endpoint }) => endpoint === "token")!;
    assert.equal(new URLSearchParams(asked.body).get("claims"), CLAIMS);
  });

  it("passes forceRefresh on: a cached token isn't good enough", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity();
    const { accessToken } = await identity.getToken({ resource: VAULT });
    await identity.fetch(URL, { resource: VAULT, forceRefresh: true });
    assert.equal(azure.counts(), "1+1+2+1");
    assert.notEqual(azure.sent.at(-1)!.headers.get("authorization"), `mtls_pop ${accessToken}`);
  });
});

describe("options that can't be right", () => {
  for (const correlationId of ["a\nb", "a\r\nx-evil: 1", "id\n", "", "x".repeat(65)]) {
    const shown = JSON.stringify(correlationId.slice(0, 16));
    it(`are refused before any network: correlationId ${shown}`, async () => {
      const azure = await fakeAzure();
      const identity = azure.identity();
      const options = { resource: VAULT, correlationId };
      const expected = { code: "invalid_argument" };
      await assert.rejects(identity.getToken(options), expected);
      await assert.rejects(identity.getToken({ ...options, forceRefresh: true }), expected);
      await assert.rejects(identity.fetch("https://storage.example/", options), expected);
      assert.equal(azure.counts(), "0+0+0+0");
    });
  }

  for (const tokenCacheSize of [NaN, -1, 0, Infinity]) {
    it(`make no identity: tokenCacheSize ${tokenCacheSize}`, async () => {
      const azure = await fakeAzure();
      assert.throws(() => azure.identity({ tokenCacheSize }), { code: "invalid_argument" });
    });
  }
});

describe("options that are what they say", () => {
  it("keyId names the key", async () => {
    const azure = await fakeAzure();
    const { binding } = await azure.identity({ keyId: "k2" }).getToken({ resource: VAULT });
    assert.deepEqual((await azure.keys.open("k2"))!.spki, binding.credential.key.spki);
    assert.equal(await azure.keys.open("keybound"), undefined);
  });

  it("metadataTimeout ends an attempt at the metadata service to the millisecond", async () => {
    const azure = await fakeAzure();
    azure.script("getplatformmetadata", () => new Promise(() => {}));
    const pending = azure.identity({ metadataTimeout: 100 }).getToken({ resource: VAULT });
    await until(() => azure.counts() === "1+0+0+0");
    await azure.clock.advance(99);
    assert.equal(azure.events.some(({ type }) => type === "retry"), false);
    await azure.clock.advance(1);
    const retries = azure.events.flatMap((event) => event.type === "retry" ? [event] : []);
    assert.deepEqual(retries.map(({ endpoint, status }) => [endpoint, status]), [
      ["getplatformmetadata", undefined],
    ]);
    await azure.clock.advance(retries[0]!.delay);
    await pending;
  });

  it("tokenTimeout ends an attempt at the token endpoint to the millisecond", async () => {
    const azure = await fakeAzure();
    azure.script("token", () => new Promise(() => {}));
    const pending = azure.identity({ tokenTimeout: 100 }).getToken({ resource: VAULT });
    await until(() => azure.counts() === "1+1+1+0");
    await azure.clock.advance(99);
    assert.equal(azure.events.some(({ type }) => type === "retry"), false);
    await azure.clock.advance(1);
    const retries = azure.events.flatMap((event) => event.type === "retry" ? [event] : []);
    assert.deepEqual(retries.map(({ endpoint, status }) => [endpoint, status]), [
      ["token", undefined],
    ]);
    await azure.clock.advance(retries[0]!.delay);
    await pending;
  });
});

describe("the client id of a token request", () => {
  it("is the one that issuecredential gave", async () => {
    const azure = await fakeAzure();
    const issued = "6325cd32-9911-41f3-819c-416cdf9104e7";
    azure.script("issuecredential", async (_sent, regular) => {
      const message: Record<string, unknown> = await (await regular()).json();
      return Response.json({ ...message, client_id: issued });
    });
    await azure.identity().getToken({ resource: VAULT });
    assert.notEqual(issued, CLIENT_ID);
    assert.equal(new URLSearchParams(azure.sent.at(-1)!.body).get("client_id"), issued);
  });
});
