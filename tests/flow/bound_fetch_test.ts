/**
 * Requests to a resource server with token and certificate as one pair.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { base64, utf8 } from "../../src/encoding.ts";
import { fakeAzure, status, VAULT, wire } from "../support/fake_azure.ts";

const URL = "https://my-vault.vault.azure.net/secrets/s?api-version=7.4";
const CHALLENGE = '{"access_token":{"nbf":{"essential":true,"value":"1"}}}';

function challenged(header: string) {
  return status(401, { error: "unauthorized" }, { "www-authenticate": header });
}

describe("identity.fetch", () => {
  it("sends token and certificate together", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity();
    const response = await identity.fetch(URL, { resource: VAULT, headers: { "x-a": "b" } });
    assert.equal(response.status, 200);
    const { accessToken, binding } = await identity.getToken({ resource: VAULT });
    const sent = azure.sent.at(-1)!;
    assert.equal(sent.headers.get("authorization"), `mtls_pop ${accessToken}`);
    assert.equal(sent.thumbprint, binding.credential.thumbprint);
    assert.equal(sent.headers.get("x-a"), "b");
    assert.equal(sent.url, URL);
    assert.equal(azure.counts(), "1+1+1+1");
  });

  it("tells Key Vault that the token is bound, and nobody else", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity();
    const hosts: [string, string | null][] = [
      ["https://v.vault.azure.net/", "true"],
      ["https://v.managedhsm.azure.net/", "true"],
      ["https://v.vault.usgovcloudapi.net/", "true"],
      ["https://vault.azure.net.evil.example/", null],
      ["https://storage.example/", null],
    ];
    for (const [url, expected] of hosts) {
      await identity.fetch(url, { resource: VAULT });
      assert.equal(azure.sent.at(-1)!.headers.get("x-ms-tokenboundauth"), expected, url);
    }
  });

  it("sends a body and keeps method and headers", async () => {
    const azure = await fakeAzure();
    await azure.identity().fetch(new Request(URL, { method: "PUT", body: "hello" }), {
      resource: VAULT,
    });
    const { method, body } = azure.sent.at(-1)!;
    assert.deepEqual([method, body], ["PUT", "hello"]);
  });

  it("answers a claims challenge with a new token, once", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity();
    const claims = base64(utf8(CHALLENGE));
    azure.always("resource", challenged(`Bearer error="insufficient_claims", claims="${claims}"`));
    const response = await identity.fetch(URL, { resource: VAULT, method: "POST", body: "x" });
    assert.equal(response.status, 401);
    assert.equal(azure.counts(), "1+1+2+2");
    const [, token] = azure.sent.filter(({ endpoint }) => endpoint === "token");
    assert.equal(new URLSearchParams(token!.body).get("claims"), CHALLENGE);
    const [first, second] = azure.sent.filter(({ endpoint }) => endpoint === "resource");
    assert.equal(second!.body, "x");
    assert.notEqual(first!.headers.get("authorization"), second!.headers.get("authorization"));
  });

  it("returns a 401 that asks for no claims as it is", async () => {
    const headers = [
      'Bearer error="invalid_token"',
      'Bearer error="insufficient_claims"',
      'Bearer error="insufficient_claims", claims="%%%"',
      `Bearer error="insufficient_claims", claims="${base64(utf8("[]"))}"`,
      `Bearer error="insufficient_claims", claims="${"A".repeat(20_000)}"`,
    ];
    for (const header of headers) {
      const azure = await fakeAzure();
      azure.always("resource", challenged(header));
      assert.equal((await azure.identity().fetch(URL, { resource: VAULT })).status, 401);
      assert.equal(azure.counts(), "1+1+1+1", header);
    }
  });

  it("doesn't send a streamed body twice", async () => {
    const azure = await fakeAzure();
    const claims = base64(utf8(CHALLENGE));
    azure.always("resource", challenged(`Bearer error="insufficient_claims", claims="${claims}"`));
    const stream = new Blob(["streamed"]).stream();
    const init = { resource: VAULT, method: "POST", body: stream, duplex: "half" };
    const response = await azure.identity().fetch(
      URL,
      init as Parameters<typeof azure.identity>[0] & { resource: string },
    );
    assert.equal(response.status, 401);
    assert.equal(azure.counts(), "1+1+1+1");
    assert.equal(azure.sent.at(-1)!.body, "streamed");
  });

  it("proves the key when the last proof has aged, and heals a dead one first", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity();
    await identity.fetch(URL, { resource: VAULT });
    await azure.keys.remove("keybound");
    await azure.clock.advance(6 * 60_000);
    const response = await identity.fetch(URL, { resource: VAULT });
    assert.equal(response.status, 200);
    assert.equal(azure.counts(), "2+2+2+2");
    const [first, second] = azure.sent.filter(({ endpoint }) => endpoint === "resource");
    assert.notEqual(first!.thumbprint, second!.thumbprint);
  });

  it("heals a key that is found dead when the connection fails, and sends once more", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity();
    await identity.getToken({ resource: VAULT });
    await azure.keys.remove("keybound");
    azure.script("resource", wire({}));
    const response = await identity.fetch(URL, { resource: VAULT });
    assert.equal(response.status, 200);
    assert.equal(azure.counts(), "2+2+2+2");
  });

  it("reports a resource server that rejects a living binding, and mints nothing", async () => {
    for (
      const [failure, code] of [[{ alert: 42 }, "tls_credential_rejected"], [
        {},
        "tls_credential_suspect",
      ]] as const
    ) {
      const azure = await fakeAzure();
      azure.always("resource", wire(failure));
      await assert.rejects(azure.identity().fetch(URL, { resource: VAULT }), {
        code,
        source: "Resource",
      });
      assert.equal(azure.counts(), "1+1+1+1");
    }
  });

  it("refuses what may not carry a token, before any network", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity();
    for (const url of ["http://my-vault.vault.azure.net/", "ftp://h/", "not a url", "/path"]) {
      await assert.rejects(identity.fetch(url, { resource: VAULT }), { code: "invalid_argument" });
    }
    await assert.rejects(identity.fetch(URL, { resource: "" }), { code: "invalid_argument" });
    assert.equal(azure.counts(), "0+0+0+0");
  });

  it("follows no redirect", async () => {
    const azure = await fakeAzure();
    azure.script(
      "resource",
      () => new Response(null, { status: 302, headers: { location: "https://evil.example/" } }),
    );
    const response = await azure.identity().fetch(URL, { resource: VAULT, redirect: "follow" });
    assert.equal(response.status, 302);
    assert.equal(azure.counts(), "1+1+1+1");
  });

  it("ends with its signal's reason", async () => {
    const azure = await fakeAzure();
    const reason = new Error("Called off by the test.");
    azure.always("resource", (sent) => {
      controller.abort(reason);
      return wire({})(sent, () => Promise.reject(reason));
    });
    const controller = new AbortController();
    const asked = azure.identity().fetch(URL, { resource: VAULT, signal: controller.signal });
    await assert.rejects(asked, reason);
  });
});
