/**
 * Requests to resource servers with a confidential client's token.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { webcryptoKeys } from "../../backends/webcrypto/mod.ts";
import { base64, utf8 } from "../../src/encoding.ts";
import { KeyboundError } from "../../src/errors.ts";
import type { EntraRequestInit } from "../../src/entra/options.ts";
import { fakeEntra, newCredential, rejected, SCOPE, status, wire } from "./support/fake_entra.ts";

const URL = "https://my-vault.vault.azure.net/secrets/s?api-version=7.4";
const CHALLENGE = '{"access_token":{"nbf":{"essential":true,"value":"1"}}}';
const challenged = status(401, { error: "unauthorized" }, {
  "www-authenticate": `Bearer error="insufficient_claims", claims="${base64(utf8(CHALLENGE))}"`,
});

describe("client.fetch", () => {
  const wrong: [name: string, url: string, init: Record<string, unknown>][] = [
    ["plain http", "http://resource.example/", { scope: SCOPE }],
    ["a URL with a user", "https://a@resource.example/", { scope: SCOPE }],
    ["no URL", "nonsense", { scope: SCOPE }],
    ["no target", URL, {}],
    ["two targets", URL, { scope: SCOPE, resource: "https://vault.azure.net" }],
  ];
  for (const [name, url, init] of wrong) {
    it(`refuses ${name} before any network`, async () => {
      const entra = fakeEntra();
      const client = await entra.client();
      const sent = client.fetch(url, init as unknown as EntraRequestInit);
      await assert.rejects(sent, { code: "invalid_argument" });
      assert.equal(entra.counts(), "0+0+0+0");
    });
  }

  it("sends token and certificate together", async () => {
    const entra = fakeEntra();
    const client = await entra.client();
    const response = await client.fetch(URL, {
      resource: "https://vault.azure.net",
      headers: { "x-a": "b", authorization: "Bearer mine" },
    });
    const { accessToken, binding } = await client.getToken({ scope: SCOPE });
    assert.deepEqual(await response.json(), { thumbprint: binding.credential.thumbprint });
    const { headers, thumbprint } = entra.sent.at(-1)!;
    assert.equal(headers.get("authorization"), `mtls_pop ${accessToken}`);
    assert.equal(headers.get("x-a"), "b");
    assert.equal(headers.get("x-ms-tokenboundauth"), "true");
    assert.equal(thumbprint, binding.credential.thumbprint);
    assert.equal(entra.counts(), "1+0+0+1");
  });

  it("sends a bearer token without a certificate, and says nothing of a binding", async () => {
    const entra = fakeEntra();
    const client = await entra.client({ credential: { assertion: () => ({ assertion: "a" }) } });
    const response = await client.fetch(URL, { scope: SCOPE, binding: "bearer" });
    assert.deepEqual(await response.json(), { thumbprint: null });
    const { headers } = entra.sent.at(-1)!;
    assert.match(headers.get("authorization")!, /^Bearer /);
    assert.equal(headers.has("x-ms-tokenboundauth"), false);
    assert.equal(entra.counts(), "0+1+0+1");
  });

  it("answers a claims challenge with a new token, once", async () => {
    const entra = fakeEntra();
    const client = await entra.client();
    entra.always("resource", challenged);
    const response = await client.fetch(URL, { scope: SCOPE, method: "POST", body: "x" });
    assert.equal(response.status, 401);
    assert.equal(entra.counts(), "2+0+0+2");
    const [, second] = entra.sent.filter(({ endpoint }) => endpoint === "mtls");
    assert.equal(second!.form["claims"], CHALLENGE);
    assert.equal(entra.sent.at(-1)!.body, "x");
  });

  it("answers a claims challenge to a bearer token likewise", async () => {
    const entra = fakeEntra();
    const client = await entra.client({ credential: { assertion: () => ({ assertion: "a" }) } });
    entra.script("resource", challenged);
    const response = await client.fetch(URL, { scope: SCOPE, binding: "bearer" });
    assert.equal(response.status, 200);
    assert.equal(entra.counts(), "0+2+0+2");
  });

  it("doesn't answer a challenge where the body can't be sent twice", async () => {
    const entra = fakeEntra();
    const client = await entra.client();
    entra.script("resource", challenged);
    const init = { scope: SCOPE, method: "POST", body: new Blob(["x"]).stream(), duplex: "half" };
    const response = await client.fetch(URL, init as EntraRequestInit);
    assert.equal(response.status, 401);
    assert.equal(entra.counts(), "1+0+0+1");
  });

  it("reports a refusal on the wire while the key still signs", async () => {
    const entra = fakeEntra();
    let calls = 0;
    const own = await newCredential();
    const client = await entra.client({ credential: () => (calls++, own) });
    for (const script of [rejected(), wire()]) {
      entra.script("resource", script);
      await assert.rejects(client.fetch(URL, { scope: SCOPE }), { source: "Resource" });
    }
    assert.equal(calls, 1);
    assert.equal(entra.counts(), "1+0+0+2");
  });

  it("has a dead key's certificate replaced where there is a function to ask", async () => {
    const entra = fakeEntra();
    const keys = webcryptoKeys();
    const key = await keys.create("mortal", { algorithm: "P-256" });
    const [old, renewed] = [await newCredential({ key }), await newCredential()];
    const client = await entra.client({
      credential: ({ refused }) => refused === undefined ? old : renewed,
    });
    await client.getToken({ scope: SCOPE });
    await keys.remove("mortal");
    entra.script("resource", wire());
    entra.always(
      "mtls",
      (sent, regular) => sent.thumbprint === old.thumbprint ? rejected()(sent, regular) : regular(),
    );
    const response = await client.fetch(URL, { scope: SCOPE, method: "POST", body: "x" });
    assert.deepEqual(await response.json(), { thumbprint: renewed.thumbprint });
  });

  it("believes a transport that a key is gone", async () => {
    const entra = fakeEntra();
    const [old, renewed] = [await newCredential(), await newCredential()];
    const client = await entra.client({
      credential: ({ refused }) => refused === undefined ? old : renewed,
    });
    entra.script("resource", () => {
      throw new KeyboundError("key_unusable", "The key is gone.");
    });
    const response = await client.fetch(URL, { scope: SCOPE });
    assert.deepEqual(await response.json(), { thumbprint: renewed.thumbprint });
  });

  it("reports a dead key where the certificate is fixed", async () => {
    const entra = fakeEntra();
    const keys = webcryptoKeys();
    const key = await keys.create("mortal", { algorithm: "P-256" });
    const client = await entra.client({ credential: await newCredential({ key }) });
    await client.getToken({ scope: SCOPE });
    await keys.remove("mortal");
    entra.script("resource", wire());
    await assert.rejects(client.fetch(URL, { scope: SCOPE }), { code: "tls_credential_suspect" });
    assert.equal(entra.counts(), "1+0+0+1");
  });

  it("by plain fetch to nobody says so, and nothing of the URL", async () => {
    const entra = fakeEntra();
    const client = await entra.client({ credential: { assertion: () => ({ assertion: "a" }) } });
    entra.script("resource", ({ url }) => {
      throw new TypeError(`fetch failed: ${url}`);
    });
    const sent = client.fetch("https://r.example/?sig=hush", { scope: SCOPE, binding: "bearer" });
    await assert.rejects(sent, (error: Error) => {
      assert.equal((error as Error & { code: string }).code, "network_unreachable");
      assert.equal(error.cause, undefined);
      return !error.message.includes("hush");
    });
  });

  it("ends with the caller's signal", async () => {
    const entra = fakeEntra();
    const client = await entra.client();
    const controller = new AbortController();
    const reason = new Error("called off");
    entra.script("resource", () => {
      controller.abort(reason);
      throw controller.signal.reason;
    });
    const { signal } = controller;
    await assert.rejects(client.fetch(URL, { scope: SCOPE, signal }), reason);
  });
});
