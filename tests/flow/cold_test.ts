/**
 * How many requests a token costs, and what they look like.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CLIENT_ID, fakeAzure, TENANT_ID, VAULT } from "../support/fake_azure.ts";

describe("the cost of a token", () => {
  it("is three requests when nothing is there, and none when the token is", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity();
    const first = await identity.getToken({ resource: VAULT });
    assert.equal(azure.counts(), "1+1+1+0");
    assert.equal(first.tokenType, "mtls_pop");
    assert.equal(first.fromCache, false);
    const second = await identity.getToken({ resource: VAULT });
    assert.equal(azure.counts(), "1+1+1+0");
    assert.equal(second.fromCache, true);
    assert.equal(second.accessToken, first.accessToken);
    assert.equal(second.binding, first.binding);
  });

  it("is one request for another resource, a forced refresh, or claims", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity();
    await identity.getToken({ resource: VAULT });
    await identity.getToken({ resource: "https://management.azure.com" });
    assert.equal(azure.counts(), "1+1+2+0");
    await identity.getToken({ resource: VAULT, forceRefresh: true });
    assert.equal(azure.counts(), "1+1+3+0");
    await identity.getToken({ resource: VAULT, claims: '{"access_token":{"nbf":{"value":"1"}}}' });
    assert.equal(azure.counts(), "1+1+4+0");
  });

  it("is three requests in all for 100 concurrent cold callers", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity();
    const tokens = await Promise.all(
      Array.from({ length: 100 }, () => identity.getToken({ resource: VAULT })),
    );
    assert.equal(azure.counts(), "1+1+1+0");
    assert.equal(new Set(tokens.map(({ accessToken }) => accessToken)).size, 1);
  });

  it("is one certificate for ten resources asked for at once", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity();
    await Promise.all(
      Array.from(
        { length: 50 },
        (_, i) => identity.getToken({ resource: `https://r${i % 10}.example` }),
      ),
    );
    assert.equal(azure.counts(), "1+1+10+0");
  });

  it("is one certificate for two objects of one host's identity", async () => {
    const azure = await fakeAzure();
    await azure.identity().getToken({ resource: VAULT });
    await azure.identity().getToken({ resource: VAULT });
    assert.equal(azure.counts(), "1+1+2+0");
  });
});

describe("the requests of an acquisition", () => {
  it("look as protocol.md sections 1.3, 1.6 and 1.7 say", async () => {
    const azure = await fakeAzure();
    await azure.identity().getToken({ resource: `${VAULT}/.default` });
    const [metadata, issue, token] = azure.sent;
    assert.equal(
      metadata!.url,
      "http://169.254.169.254/metadata/identity/getplatformmetadata?cred-api-version=2.0",
    );
    assert.equal(metadata!.method, "GET");
    assert.equal(metadata!.headers.get("metadata"), "true");
    assert.equal(metadata!.headers.get("accept"), "application/json");
    assert.equal(
      issue!.url,
      "http://169.254.169.254/metadata/identity/issuecredential?cred-api-version=2.0",
    );
    assert.equal(issue!.method, "POST");
    assert.equal(issue!.headers.get("content-type"), "application/json; charset=utf-8");
    assert.deepEqual(Object.keys(JSON.parse(issue!.body)), ["csr", "attestation_token"]);
    assert.equal(token!.url, `https://mtlsauth.example/${TENANT_ID}/oauth2/v2.0/token`);
    assert.deepEqual(Object.fromEntries(new URLSearchParams(token!.body)), {
      client_id: CLIENT_ID,
      scope: `${VAULT}/.default`,
      grant_type: "client_credentials",
      token_type: "mtls_pop",
    });
    assert.deepEqual(token!.options, { connection: "fresh", maxVersion: "TLSv1.2" });
  });

  it("carry one correlation id, the caller's if one is given", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity();
    const correlationId = "0f8fad5b-d9cb-469f-a165-70867728950e";
    const result = await identity.getToken({ resource: VAULT, correlationId });
    assert.equal(result.correlationId, correlationId);
    const ids = azure.sent.map(({ headers }) =>
      headers.get("x-ms-client-request-id") ?? headers.get("client-request-id")
    );
    assert.deepEqual(ids, [correlationId, correlationId, correlationId]);
    const { correlationId: other } = await identity.getToken({
      resource: VAULT,
      forceRefresh: true,
    });
    assert.match(other, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    assert.notEqual(other, correlationId);
  });

  it("go where AZURE_POD_IDENTITY_AUTHORITY_HOST says, its path thrown away", async () => {
    const azure = await fakeAzure();
    const environment = { AZURE_POD_IDENTITY_AUTHORITY_HOST: "http://127.0.0.1:4000/ignored?x=1" };
    await azure.identity({ environment }).getToken({ resource: VAULT });
    assert.ok(azure.sent[0]!.url.startsWith("http://127.0.0.1:4000/metadata/identity/"));
  });
});
