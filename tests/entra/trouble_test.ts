/**
 * Answers that are wrong, servers in trouble, and calls that are called off.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fakeJwt } from "../support/fake_azure.ts";
import { settling, until } from "../support/waiting.ts";
import {
  assertionBoundTo,
  fakeEntra,
  newCredential,
  rejected,
  SCOPE,
  status,
  wire,
} from "./support/fake_entra.ts";

describe("an answer that isn't what was asked for is thrown away", () => {
  const answer = (fields: Record<string, unknown>) => () =>
    Response.json({ token_type: "mtls_pop", expires_in: 3600, access_token: "opaque", ...fields });
  const rows: [name: string, fields: Record<string, unknown>, code: string][] = [
    ["a bearer token", { token_type: "Bearer" }, "token_type_mismatch"],
    ["no token type", { token_type: undefined }, "token_type_missing"],
    ["no token", { access_token: undefined }, "invalid_token_response"],
    [
      "a token that isn't bound",
      { access_token: fakeJwt({ aud: "https://vault.azure.net" }) },
      "token_not_bound",
    ],
    [
      "a token bound to another certificate",
      { access_token: fakeJwt({ cnf: { "x5t#S256": "another" } }) },
      "token_not_bound",
    ],
  ];
  for (const [name, fields, code] of rows) {
    it(`${name}: ${code}`, async () => {
      const entra = fakeEntra();
      const client = await entra.client();
      entra.script("mtls", answer(fields));
      await assert.rejects(client.getToken({ scope: SCOPE }), { code });
      assert.equal((await client.getToken({ scope: SCOPE })).fromCache, false);
    });
  }

  it("a bound token where a bearer token was asked for", async () => {
    const entra = fakeEntra();
    const client = await entra.client({
      credential: { assertion: () => ({ assertion: assertionBoundTo(undefined) }) },
    });
    entra.script("login", answer({}));
    const asked = client.getToken({ scope: SCOPE, binding: "bearer" });
    await assert.rejects(asked, { code: "token_type_mismatch" });
  });

  it("a redirect of the login host, which would get the assertion", async () => {
    const entra = fakeEntra();
    const client = await entra.client({
      credential: { assertion: () => ({ assertion: assertionBoundTo(undefined) }) },
    });
    entra.script(
      "login",
      () => new Response(null, { status: 307, headers: { location: "https://evil.example/" } }),
    );
    const asked = client.getToken({ scope: SCOPE, binding: "bearer" });
    await assert.rejects(asked, { code: "redirect_refused" });
    assert.equal(entra.counts(), "0+1+0+0");
  });
});

describe("trouble at the token endpoint", () => {
  it("is repeated once where the server failed, and then reported", async () => {
    const entra = fakeEntra();
    const client = await entra.client();
    entra.always("mtls", status(503));
    const asked = settling(entra, client.getToken({ scope: SCOPE }));
    await assert.rejects(asked, { code: "service_not_available", status: 503 });
    assert.equal(entra.counts(), "2+0+0+0");
  });

  it("holds the same request back as long as the server says, and no other", async () => {
    const entra = fakeEntra();
    const client = await entra.client();
    entra.script("mtls", status(429, {}, { "retry-after": "30" }));
    await assert.rejects(client.getToken({ scope: SCOPE }), { status: 429 });
    await assert.rejects(client.getToken({ scope: SCOPE }), { status: 429 });
    assert.equal(entra.counts(), "1+0+0+0");
    await client.getToken({ scope: "api://other/.default" });
    await entra.clock.advance(30_000);
    await client.getToken({ scope: SCOPE });
    assert.equal(entra.counts(), "3+0+0+0");
  });

  it("ends in request_timeout after two attempts without an answer", async () => {
    const entra = fakeEntra();
    const client = await entra.client({ tokenTimeout: 5000 });
    entra.always("mtls", () => new Promise(() => {}));
    const asked = client.getToken({ scope: SCOPE });
    asked.catch(() => {});
    await until(() => entra.sent.length === 1);
    await entra.clock.advance(5000);
    await entra.clock.advance(1100);
    await until(() => entra.sent.length === 2);
    await entra.clock.advance(5000);
    await assert.rejects(asked, { code: "request_timeout", source: "TokenEndpoint" });
  });

  it("by plain fetch is network_unreachable", async () => {
    const entra = fakeEntra();
    const client = await entra.client({
      credential: { assertion: () => ({ assertion: "a" }) },
    });
    entra.script("login", () => {
      throw new TypeError("fetch failed");
    });
    const asked = client.getToken({ scope: SCOPE, binding: "bearer" });
    await assert.rejects(asked, {
      code: "network_unreachable",
      retryable: true,
      source: "TokenEndpoint",
    });
  });

  it("never puts an assertion, a token or a claim into an error or event", async () => {
    const entra = fakeEntra();
    const own = await newCredential();
    const assertion = assertionBoundTo(own.thumbprint);
    const client = await entra.client({
      credential: { assertion: () => ({ assertion, credential: own }) },
    });
    const description = `AADSTS700027: bad assertion ${assertion}`;
    entra.script("mtls", status(400, { error: "invalid_grant", error_description: description }));
    const error = await client.getToken({ scope: SCOPE }).catch((error) => error);
    assert.equal(error.code, "invalid_grant");
    const texts = [JSON.stringify(error), error.message, JSON.stringify(entra.events)];
    for (const text of texts) assert.equal(text.includes(assertion), false);
  });
});

describe("a call that is called off", () => {
  it("returns at once, caches nothing and ends its request", async () => {
    const entra = fakeEntra();
    const client = await entra.client();
    let ended = false;
    const transportFetch = entra.transport.fetch;
    entra.transport.fetch = (request, credential, options) => {
      request.signal.addEventListener("abort", () => ended = true);
      return transportFetch(request, credential, options);
    };
    let release = () => {};
    entra.script("mtls", async (_sent, regular) => {
      await new Promise<void>((resolve) => release = resolve);
      return await regular();
    });
    const controller = new AbortController();
    const reason = new Error("called off");
    const asked = client.getToken({ scope: SCOPE, signal: controller.signal });
    asked.catch(() => {});
    await until(() => entra.sent.length === 1);
    controller.abort(reason);
    await assert.rejects(asked, reason);
    assert.equal(ended, true);
    release();
    await new Promise((resolve) => setTimeout(resolve, 0));
    assert.equal((await client.getToken({ scope: SCOPE })).fromCache, false);
  });

  it("caches nothing when it is called off as the answer comes", async () => {
    const entra = fakeEntra();
    const controller = new AbortController();
    // Asked for as soon as the answer is there: whether to repeat, and when.
    const random = () => (controller.abort(), 0.5);
    const client = await entra.client({ random });
    const asked = client.getToken({ scope: SCOPE, signal: controller.signal });
    await assert.rejects(asked, { name: "AbortError" });
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setTimeout(resolve, 0));
    assert.equal((await client.getToken({ scope: SCOPE })).fromCache, false);
    assert.equal(entra.counts(), "2+0+0+0");
  });

  it("doesn't wait for a credential function that never answers", async () => {
    const entra = fakeEntra();
    const seen: AbortSignal[] = [];
    const client = await entra.client({
      credential: ({ signal }) => {
        seen.push(signal);
        return new Promise(() => {});
      },
    });
    const controller = new AbortController();
    const asked = client.getToken({ scope: SCOPE, signal: controller.signal });
    asked.catch(() => {});
    await until(() => seen.length === 1);
    controller.abort();
    await assert.rejects(asked, { name: "AbortError" });
    assert.equal(seen[0]!.aborted, true);
  });

  it("leaves others who wait for the same token undisturbed", async () => {
    const entra = fakeEntra();
    const client = await entra.client();
    const controller = new AbortController();
    const gone = client.getToken({ scope: SCOPE, signal: controller.signal });
    const staying = client.getToken({ scope: SCOPE });
    controller.abort();
    await assert.rejects(gone, { name: "AbortError" });
    assert.equal((await staying).tokenType, "mtls_pop");
    assert.equal(entra.counts(), "1+0+0+0");
  });

  it("by close ends everything, for good", async () => {
    const entra = fakeEntra();
    const client = await entra.client();
    entra.script("mtls", () => new Promise(() => {}));
    const asked = client.getToken({ scope: SCOPE });
    asked.catch(() => {});
    await until(() => entra.sent.length === 1);
    await client.close();
    await assert.rejects(asked, { code: "closed" });
    await assert.rejects(client.getToken({ scope: SCOPE }), { code: "closed" });
    await assert.rejects(client.fetch("https://v.example/", { scope: SCOPE }), { code: "closed" });
  });
});

describe("a failed connection", () => {
  it("with a fixed certificate is reported, not repeated", async () => {
    const entra = fakeEntra();
    const client = await entra.client();
    entra.script("mtls", rejected(), wire());
    for (const code of ["tls_credential_rejected", "tls_credential_suspect"]) {
      await assert.rejects(client.getToken({ scope: SCOPE }), { code });
    }
    assert.equal(entra.counts(), "2+0+0+0");
    assert.equal(entra.events.some(({ type }) => type === "heal"), false);
  });
});
