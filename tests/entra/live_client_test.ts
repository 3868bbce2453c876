/**
 * Confidential clients over real sockets and real TLS, against the emulator, which checks certificates,
 * assertions and what they are bound to.
 *
 * @module
 */

import assert from "node:assert/strict";
import process from "node:process";
import { describe, it } from "node:test";
import { decodeJwt } from "jose";
import { claimsChallenge, DEFAULT_TENANT_ID, unavailable } from "../../emulator/mod.ts";
import type { EntraBindingWish } from "../../src/entra/options.ts";
import { until } from "../support/waiting.ts";
import { APPLICATIONS, AUTHORITY, emulatedEntra, FIRST, SECOND } from "./support/emulated.ts";

const SCOPE = "https://vault.azure.net/.default";
const EXCHANGE = "api://AzureADTokenExchange";
const entra = emulatedEntra();

describe("a confidential client at the emulator", () => {
  it("with another client's certificate is refused", async () => {
    const client = await entra.clientOf({ credential: await entra.credentialOf(SECOND) });
    await assert.rejects(client.getToken({ scope: SCOPE }), {
      code: "invalid_client",
      errorCodes: [700030],
    });
  });

  it("A: gets a token bound to its certificate, which a resource server takes", async () => {
    const credential = await entra.credentialOf(FIRST);
    const client = await entra.clientOf({ credential });
    const { accessToken, tokenType } = await client.getToken({ scope: SCOPE });
    assert.equal(tokenType, "mtls_pop");
    assert.deepEqual(decodeJwt(accessToken)["cnf"], { "x5t#S256": credential.thumbprint });
    const { headers, thumbprint, tlsVersion, path } = await entra.lastTokenRequest();
    assert.equal(headers["x-emulated-host"], "mtlsauth.microsoft.com");
    assert.equal(thumbprint, credential.thumbprint);
    assert.equal(tlsVersion, "TLSv1.2");
    assert.equal(path, `/${DEFAULT_TENANT_ID}/oauth2/v2.0/token`);
    const response = await client.fetch(`${entra.emulator.resource}/x`, { scope: SCOPE });
    assert.equal((await response.json()).thumbprint, credential.thumbprint);
    assert.equal((await entra.emulator.counts()).token, 1);
  });

  it("A: goes to regions, other clouds and dSTS by their hosts", async () => {
    const rows = [
      [AUTHORITY, "westus2", "westus2.mtlsauth.microsoft.com"],
      [
        `https://login.microsoftonline.us/${DEFAULT_TENANT_ID}`,
        "none",
        "mtlsauth.microsoftonline.us",
      ],
      [`https://x.dsts.example/dstsv2/${DEFAULT_TENANT_ID}`, "none", "x.dsts.example"],
    ] as const;
    for (const [authority, region, host] of rows) {
      const client = await entra.clientOf({ authority, region });
      await client.getToken({ scope: SCOPE });
      assert.equal((await entra.lastTokenRequest()).headers["x-emulated-host"], host);
    }
  });

  it("A: finds out its region from the metadata service", async () => {
    const environment = { AZURE_POD_IDENTITY_AUTHORITY_HOST: entra.emulator.metadata };
    const client = await entra.clientOf({ environment, region: "auto" });
    await client.getToken({ scope: SCOPE });
    const { headers } = await entra.lastTokenRequest();
    assert.equal(headers["x-emulated-host"], "westeurope.mtlsauth.microsoft.com");
    assert.equal((await entra.emulator.counts()).compute, 1);
  });

  it("B and C: takes the assertion and the certificate it is bound to, and no other", async () => {
    const vouching = await entra.clientOf({ clientId: FIRST });
    const { accessToken: assertion, binding } = await vouching.getToken({ resource: EXCHANGE });
    for (const wish of ["mtls_pop", "bearer"] as EntraBindingWish[]) {
      const mixed = await entra.clientOf({
        clientId: SECOND,
        credential: {
          assertion: async () => ({ assertion, credential: await entra.credentialOf(FIRST) }),
        },
      });
      await assert.rejects(mixed.getToken({ scope: SCOPE, binding: wish }), {
        code: "invalid_request",
        errorCodes: [500181],
      });
      const client = await entra.clientOf({
        clientId: SECOND,
        credential: { assertion: () => ({ assertion, credential: binding.credential }) },
      });
      const token = await client.getToken({ scope: SCOPE, binding: wish });
      const { cnf, appid } = decodeJwt(token.accessToken);
      assert.equal(appid, SECOND);
      const { thumbprint } = binding.credential;
      assert.deepEqual(cnf, wish === "bearer" ? undefined : { "x5t#S256": thumbprint });
      const { headers, fields } = await entra.lastTokenRequest();
      assert.equal(headers["x-emulated-host"], "mtlsauth.microsoft.com");
      assert.match(fields["client_assertion_type"]!, /:jwt-pop$/);
      assert.equal(fields["client_assertion"], null, "withheld");
    }
  });

  it("D: gets a bearer token for an unbound assertion, without a certificate", async () => {
    const vouching = await entra.clientOf({
      credential: await entra.credentialOf(FIRST, "RSA-2048"),
    });
    const { accessToken: assertion } = await vouching.getToken({
      resource: EXCHANGE,
      binding: "bearer",
    });
    const client = await entra.clientOf({
      clientId: SECOND,
      credential: { assertion: () => ({ assertion }) },
    });
    const { tokenType } = await client.getToken({ scope: SCOPE, binding: "bearer" });
    assert.equal(tokenType, "Bearer");
    const { headers, thumbprint } = await entra.lastTokenRequest();
    assert.equal(headers["x-emulated-host"], "login.microsoftonline.com");
    assert.equal(thumbprint, null);
  });

  it("D: is refused for a bound assertion, whose binding nothing proves", async () => {
    const vouching = await entra.clientOf();
    const { accessToken: assertion } = await vouching.getToken({ resource: EXCHANGE });
    const client = await entra.clientOf({
      clientId: SECOND,
      credential: { assertion: () => ({ assertion }) },
    });
    const asked = client.getToken({ scope: SCOPE, binding: "bearer" });
    await assert.rejects(asked, { errorCodes: [500181] });
  });

  for (const [name, sends] of [["E", true], ["x5c", false]] as const) {
    it(`${name}: gets a bearer token for an assertion that its certificate signed`, async () => {
      const credential = await entra.credentialOf(FIRST, "RSA-2048");
      const client = await entra.clientOf({ credential, sendCertificateOverMtls: sends });
      for (const scope of [SCOPE, "api://other/.default"]) {
        const { tokenType, accessToken } = await client.getToken({ scope, binding: "bearer" });
        assert.equal(tokenType, "Bearer");
        assert.equal(decodeJwt(accessToken)["cnf"], undefined);
      }
      const { headers, thumbprint, fields } = await entra.lastTokenRequest();
      const host = sends ? "mtlsauth.microsoft.com" : "login.microsoftonline.com";
      assert.equal(headers["x-emulated-host"], host);
      assert.equal(thumbprint, sends ? credential.thumbprint : null);
      assert.match(fields["client_assertion_type"]!, /:jwt-bearer$/);
      const response = await client.fetch(`${entra.emulator.resource}/x`, {
        scope: SCOPE,
        binding: "bearer",
      });
      assert.equal((await response.json()).thumbprint, null);
    });
  }

  it("x5c: signs anew for a repetition, since assertions are taken once", async () => {
    const credential = await entra.credentialOf(FIRST, "RSA-2048");
    const client = await entra.clientOf({
      credential,
      clock: { now: () => Date.now(), sleep: (ms) => ms > 5000 ? forever() : Promise.resolve() },
    });
    await entra.emulator.script("token", unavailable());
    await client.getToken({ scope: SCOPE, binding: "bearer" });
    assert.equal((await entra.emulator.counts()).token, 2);
  });

  it("answers a claims challenge once, with a bound token", async () => {
    const client = await entra.clientOf();
    const claims = { access_token: { nbf: { essential: true, value: "1" } } };
    await entra.emulator.script("resource", claimsChallenge(claims));
    const response = await client.fetch(`${entra.emulator.resource}/x`, { scope: SCOPE });
    assert.equal(response.status, 200);
    await response.body?.cancel();
    assert.equal((await entra.lastTokenRequest()).fields["claims"], JSON.stringify(claims));
    assert.equal((await entra.emulator.counts()).resource, 2);
  });

  it("whose certificate is revoked goes on with the one its function gives then", async () => {
    const [old, renewed] = [await entra.credentialOf(FIRST), await entra.credentialOf(FIRST)];
    let refusals = 0;
    const client = await entra.clientOf({
      credential: ({ refused }) => refused === undefined ? old : (refusals++, renewed),
    });
    await entra.emulator.revoke({ thumbprints: [old.thumbprint] });
    const { binding } = await client.getToken({ scope: SCOPE });
    assert.equal(binding.credential, renewed);
    assert.equal(refusals, 1);
  });

  for (const serverCertificate of ["expired", "wrong_host", "untrusted"] as const) {
    it(`shows nothing to a server whose certificate is ${serverCertificate}`, async () => {
      await entra.emulator.set({ serverCertificate });
      const bound = await entra.clientOf();
      await assert.rejects(bound.getToken({ scope: SCOPE }), { code: "tls_server_untrusted" });
      const bearer = await entra.clientOf({
        credential: { assertion: () => ({ assertion: "a" }) },
      });
      const asked = bearer.getToken({ scope: SCOPE, binding: "bearer" });
      await assert.rejects(asked, { code: "network_unreachable" });
      assert.equal((await entra.emulator.counts()).token, 0);
    });
  }

  it("that is called off while the server is silent ends at once and keeps nothing", async () => {
    const client = await entra.clientOf();
    await entra.emulator.fault("token", { kind: "silent" });
    const controller = new AbortController();
    const reason = new Error("Called off by the test.");
    const asked = client.getToken({ scope: SCOPE, signal: controller.signal });
    asked.catch(() => {});
    while ((await entra.emulator.counts()).token_connections < 1) await Promise.resolve();
    controller.abort(reason);
    await assert.rejects(asked, reason);
    assert.equal((await client.getToken({ scope: SCOPE })).fromCache, false);
  });

  if (process.versions["deno"] === undefined && process.versions["bun"] === undefined) {
    it("leaves no socket open when it is called off or runs out of time", async () => {
      const sockets = () =>
        process.getActiveResourcesInfo().filter((kind) => kind === "TCPSocketWrap").length;
      await entra.emulator.script("token", ...Array(6).fill({ kind: "hang" }));
      await until(() => sockets() === 0);
      const bearer = { assertion: () => ({ assertion: "a" }) };
      for (const binding of ["mtls_pop", "bearer"] as const) {
        const credential = binding === "bearer" ? bearer : await entra.credentialOf(FIRST);
        const client = await entra.clientOf({ credential, tokenTimeout: 200 });
        const late = client.getToken({ scope: SCOPE, binding });
        await assert.rejects(late, { code: "request_timeout" });
        await until(() => sockets() === 0);
        const controller = new AbortController();
        const { signal } = controller;
        const asked = client.getToken({ scope: "api://other/.default", binding, signal });
        asked.catch(() => {});
        await until(() => sockets() > 0);
        controller.abort();
        await assert.rejects(asked, { name: "AbortError" });
        await until(() => sockets() === 0);
      }
    });
  }

  it("one of ten, never has another's token, connection or result", async () => {
    const clients = await Promise.all(
      APPLICATIONS.slice(1).map(async (clientId) => {
        const credential = await entra.credentialOf(clientId);
        return { clientId, credential, client: await entra.clientOf({ clientId, credential }) };
      }),
    );
    const asked = Array.from({ length: 200 }, async (_, i) => {
      const { clientId, credential, client } = clients[i % clients.length]!;
      const token = await client.getToken({ scope: `api://resource-${i}/.default` });
      const { appid, cnf, aud } = decodeJwt(token.accessToken);
      assert.deepEqual([appid, aud], [clientId, `api://resource-${i}`]);
      assert.deepEqual(cnf, { "x5t#S256": credential.thumbprint });
      assert.equal(token.binding.credential, credential);
      if (i >= 50) return;
      const response = await client.fetch(`${entra.emulator.resource}/${i}`, { scope: SCOPE });
      assert.deepEqual([response.status, (await response.json()).thumbprint], [
        200,
        credential.thumbprint,
      ]);
    });
    await Promise.all(asked);
    const requests = await entra.emulator.requests();
    const owners = new Map(clients.map(({ clientId, credential }) => [
      credential.thumbprint,
      clientId,
    ]));
    const connections = new Map<number, string>();
    for (const { endpoint, fields, thumbprint, connection, status } of requests) {
      assert.equal(status, 200);
      if (endpoint === "token") assert.equal(owners.get(thumbprint!), fields["client_id"]);
      assert.equal(connections.get(connection) ?? thumbprint, thumbprint);
      connections.set(connection, thumbprint!);
    }
    assert.equal((await entra.emulator.counts()).token, 210);
  });
});

function forever(): Promise<never> {
  return new Promise(() => {});
}
