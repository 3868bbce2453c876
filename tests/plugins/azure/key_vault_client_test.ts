/**
 * The real client of Key Vault's secrets with bound tokens, against the emulated vault.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { HttpClient } from "@azure/core-rest-pipeline";
import { KeyClient } from "@azure/keyvault-keys";
import { SecretClient } from "@azure/keyvault-secrets";
import { detect } from "../../../backends/detect.ts";
import {
  claimsChallenge,
  DEFAULT_APPLICATIONS,
  DEFAULT_TENANT_ID,
  entraHosts,
} from "../../../emulator/mod.ts";
import type { BoundToken } from "../../../mod.ts";
import { httpClient, tokenCredential } from "../../../plugins/azure/mod.ts";
import { base64 } from "../../../src/encoding.ts";
import { certificateCredential, confidentialClient } from "../../../src/entra/mod.ts";
import { emulatedAzure } from "./support/emulated_azure.ts";

const VAULT = "https://vault.azure.net";
const azure = emulatedAzure();

describe("SecretClient with a bound token", () => {
  it("doesn't get in without the HTTP client, and gives no token away", async () => {
    const identity = await azure.identityOf();
    const seen: string[] = [];
    const client = new SecretClient(azure.emulator.resource, tokenCredential(identity), {
      httpClient: plainClient(azure.fetch, seen),
      disableChallengeResourceVerification: true,
      retryOptions: { maxRetries: 0 },
    });
    await assert.rejects(client.getSecret("demo"), { statusCode: 401 });
    const { accessToken } = await identity.getToken({ resource: VAULT });
    assert.ok(seen.length > 1);
    assert.ok(!seen.join("\n").includes(accessToken));
    assert.match(seen.at(-1)!, /^Bearer keybound-reference-not-a-token\./);
  });

  it("is sent no token of another credential", async () => {
    const identity = await azure.identityOf();
    const client = new SecretClient(
      azure.emulator.resource,
      tokenCredential(identity, { binding: "bearer" }),
      {
        httpClient: httpClient(identity, { fetch: azure.fetch }),
        disableChallengeResourceVerification: true,
      },
    );
    await assert.rejects(client.getSecret("demo"), {
      name: "RestError",
      message: /tokenCredential/,
    });
    const schemes = (await azure.emulator.requests("resource")).map((r) => r.authorizationScheme);
    assert.deepEqual(schemes, [null]);
  });

  it("sets and reads a secret: asks for the challenge, then sends token and certificate", async () => {
    const identity = await azure.identityOf();
    const client = azure.secrets(identity);
    await client.setSecret("demo", "s3cret");
    assert.equal((await client.getSecret("demo")).value, "s3cret");
    const { binding } = await identity.getToken({ resource: VAULT });
    const requests = await azure.emulator.requests("resource");
    const { thumbprint } = binding.credential;
    assert.deepEqual(
      requests.map((r) => [r.method, r.authorizationScheme, r.thumbprint, r.status]),
      [
        ["PUT", null, null, 401],
        ["PUT", "mtls_pop", thumbprint, 200],
        ["GET", "mtls_pop", thumbprint, 200],
      ],
    );
    assert.deepEqual(requests[0]!.fields, {}, "the value stays at home");
    assert.deepEqual(requests[1]!.fields, { value: null, attributes: null });
    assert.equal(requests[2]!.headers["x-ms-tokenboundauth"], "true");
    assert.equal(requests[2]!.connection, requests[1]!.connection, "the pool is used");
  });

  it("takes a claims challenge with a new token, which says that the client can (cp1)", async () => {
    const identity = await azure.identityOf();
    const client = azure.secrets(identity);
    await client.setSecret("demo", "1");
    const [first] = await azure.emulator.requests("token");
    assert.match(first!.fields["claims"]!, /"cp1"/);
    await azure.emulator.script(
      "resource",
      claimsChallenge({ access_token: { nbf: { value: "1" } } }),
    );
    assert.equal((await client.getSecret("demo")).value, "1");
    const tokens = await azure.emulator.requests("token");
    assert.equal(tokens.length, 2);
    assert.match(tokens[1]!.fields["claims"]!, /"nbf"/);
  });

  it("tells what the vault says as a RestError", async () => {
    const client = azure.secrets(await azure.identityOf());
    await assert.rejects(client.getSecret("none"), {
      name: "RestError",
      statusCode: 404,
      code: "SecretNotFound",
    });
  });

  it("drops the pooled connections of a certificate that was replaced", async () => {
    const identity = await azure.identityOf();
    const client = azure.secrets(identity);
    await client.setSecret("demo", "1");
    const before = await identity.getToken({ resource: VAULT });
    await azure.emulator.revoke({ issued: true });
    // The token endpoint refuses the revoked certificate: the identity mints another one.
    const bound = await identity.getToken({
      resource: VAULT,
      clientClaims: '{"access_token":{"xms_cc":{"values":["cp1"]}}}',
      forceRefresh: true,
    }) as BoundToken;
    assert.notEqual(bound.binding.credential.thumbprint, before.binding.credential.thumbprint);
    await client.getSecret("demo");
    const requests = await azure.emulator.requests("resource");
    const [old, last] = requests.slice(-2);
    assert.equal(last!.thumbprint, bound.binding.credential.thumbprint);
    assert.notEqual(last!.connection, old!.connection);
  });

  it("works for a confidential client as well, in the tenant that the vault hints at", async () => {
    const [clientId, tenantId] = [DEFAULT_APPLICATIONS[0]!.clientId, DEFAULT_TENANT_ID];
    const { keys, transports } = await detect({ ca: azure.emulator.ca });
    const key = await keys.create("app", { algorithm: "P-256" });
    const { pem } = await azure.emulator.issue({ spki: base64(key.spki), clientId });
    const application = confidentialClient({
      ...entraHosts(azure.emulator, transports),
      clientId,
      authority: "https://login.microsoftonline.com/contoso.com",
      credential: await certificateCredential(pem, key),
    });
    const client = new SecretClient(
      azure.emulator.resource,
      tokenCredential(application, { additionallyAllowedTenants: [tenantId] }),
      {
        httpClient: httpClient(application, { fetch: azure.fetch }),
        disableChallengeResourceVerification: true,
      },
    );
    await client.setSecret("demo", "of an application");
    assert.equal((await client.getSecret("demo")).value, "of an application");
    const [token] = await azure.emulator.requests("token");
    assert.equal(token!.path.split("/")[1], tenantId);
    await application.close();
    for (const transport of transports) await transport.close();
  });

  it("is checked by a vault that wants to be told that a token is bound", async () => {
    const identity = await azure.identityOf();
    const url = `${azure.emulator.resource}/secrets/demo?api-version=7.5`;
    const headers = { "x-ms-tokenboundauth": "true" };
    const untold = await identity.fetch(url, { resource: VAULT });
    const told = await identity.fetch(url, { resource: VAULT, headers });
    assert.deepEqual([untold.status, told.status], [401, 404]);
    await Promise.all([untold.body?.cancel(), told.body?.cancel()]);
  });

  it("makes a key in the vault with the client for keys", async () => {
    const identity = await azure.identityOf();
    const client = new KeyClient(azure.emulator.resource, tokenCredential(identity), {
      httpClient: httpClient(identity, { fetch: azure.fetch }),
      disableChallengeResourceVerification: true,
    });
    const made = await client.createEcKey("app", { curve: "P-256" });
    const { key } = await client.getKey("app");
    assert.deepEqual(key!.x, made.key!.x);
  });
});

/** The SDK's own way to send, by a fetch, noting what goes out as `Authorization`. */
function plainClient(fetch: typeof globalThis.fetch, seen: string[]): HttpClient {
  return {
    async sendRequest(request) {
      seen.push(request.headers.get("authorization") ?? "");
      const { url, method } = request;
      const response = await fetch(url, { method, headers: request.headers.toJSON() });
      const { ResponseHeaders } = await import("../../../plugins/azure/headers.ts");
      const headers = new ResponseHeaders(response.headers);
      return { request, status: response.status, headers, bodyAsText: await response.text() };
    },
  };
}
