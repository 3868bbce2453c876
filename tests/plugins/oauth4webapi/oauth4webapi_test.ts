/**
 * oauth4webapi against oidc-provider, with keys in software and in a token.
 *
 * @module
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { decodeJwt } from "jose";
import * as oauth from "oauth4webapi";
import { nodeTlsTransport } from "../../../backends/node_tls/mod.ts";
import { opensslTransport } from "../../../backends/openssl/mod.ts";
import { type Pkcs11KeyProvider, pkcs11Keys } from "../../../backends/pkcs11/mod.ts";
import { customFetch } from "../../../plugins/oauth4webapi/mod.ts";
import type { ClientCredential } from "../../../src/credential.ts";
import type { MtlsTransport } from "../../../src/transports.ts";
import { assertExample } from "../../edge/support/examples.ts";
import { softHsm } from "../../support/softhsm.ts";
import { type TlsAuthority, tlsAuthority } from "../../support/tls_identities.ts";
import { API, CLIENT_ID, type RunningProvider, startProvider } from "./support/provider.ts";

const SUBJECT = "CN=3c5a7c2e-1f0b-4f0e-9a53-6f0b9d5f7a11";
const token = await softHsm();

let authority: TlsAuthority;
let provider: RunningProvider;
let credential: ClientCredential;
let transports: MtlsTransport[];

before(async () => {
  authority = await tlsAuthority("Test CA");
  credential = await authority.client("P-256");
  transports = [nodeTlsTransport({ ca: authority.pem }), opensslTransport({ ca: authority.pem })];
  provider = await startProvider({
    server: await authority.server(),
    clientCa: authority.pem,
    subject: SUBJECT,
  });
});
after(async () => {
  await Promise.all(transports.map((transport) => transport.close()));
  // Not only the token endpoint: nothing at all came without one.
  assert.deepEqual(await provider.close(), {});
  await token?.destroy();
});

function confirmation(accessToken: string): unknown {
  return decodeJwt(accessToken)["cnf"];
}

async function clientCredentials(presented: ClientCredential): Promise<string> {
  const { issuer } = provider;
  const credential = presented;
  // Example oauth4webapi
  const mtls = { [oauth.customFetch]: customFetch({ credential, transports }) };
  const client = { client_id: "orders", use_mtls_endpoint_aliases: true };

  const url = new URL(issuer);
  const as = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, mtls));
  const response = await oauth.clientCredentialsGrantRequest(
    as,
    client,
    oauth.TlsClientAuth(),
    { scope: "read", resource: "https://api.example.com" },
    mtls,
  );
  const { access_token } = await oauth.processClientCredentialsResponse(as, client, response);
  // End of example
  return access_token;
}

describe("customFetch with oauth4webapi", () => {
  it("refuses what can't present a certificate", () => {
    const wrong = [{ transports }, { credential, transports: [] }, { credential }];
    for (const options of wrong) {
      const asked = options as Parameters<typeof customFetch>[0];
      assert.throws(() => customFetch(asked), { code: "invalid_argument" });
    }
  });

  it("sends nothing without a certificate: not over http, not with a key that no transport takes", async () => {
    const init = { method: "GET", headers: {} };
    const fetch = customFetch({ credential, transports });
    const bare = provider.issuer.replace("https:", "http:");
    await assert.rejects(fetch(bare, init), { code: "invalid_argument" });
    await assert.rejects(fetch("orders", init), { code: "invalid_argument" });
    const none = { ...transports[0]!, accepts: () => false } as MtlsTransport;
    await assert.rejects(customFetch({ credential, transports: [none] })(provider.issuer, init), {
      code: "transport_not_available",
    });
    const expired = await authority.client("P-256", { expired: true });
    await assert.rejects(customFetch({ credential: expired, transports })(provider.issuer, init), {
      code: "invalid_certificate",
    });
  });

  it("is refused with the certificate of a stranger", async () => {
    const stranger = await (await tlsAuthority("Another CA")).client("P-256");
    await assert.rejects(clientCredentials(stranger), { error: "invalid_client" });
  });

  it("gets a token by client credentials, bound to the key", async () => {
    const accessToken = await clientCredentials(credential);
    assert.deepEqual(confirmation(accessToken), { "x5t#S256": credential.thumbprint });
  });

  it("gets a token and refreshes it, bound to the certificate of the moment", async () => {
    const renewed = await authority.client("P-256");
    let current = credential;
    const mtls = { [oauth.customFetch]: customFetch({ credential: () => current, transports }) };
    const client = {
      client_id: CLIENT_ID,
      use_mtls_endpoint_aliases: true,
      id_token_signed_response_alg: "ES256",
    };
    const url = new URL(provider.issuer);
    const as = await oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, mtls));
    const tls = oauth.TlsClientAuth();
    const asked = { scope: "openid offline_access read", resource: API, login_hint: "ada" };
    const started = await oauth.processBackchannelAuthenticationResponse(
      as,
      client,
      await oauth.backchannelAuthenticationRequest(as, client, tls, asked, mtls),
    );
    const first = await oauth.processBackchannelAuthenticationGrantResponse(
      as,
      client,
      await oauth.backchannelAuthenticationGrantRequest(as, client, tls, started.auth_req_id, mtls),
    );
    assert.deepEqual(confirmation(first.access_token), { "x5t#S256": credential.thumbprint });
    current = renewed;
    const second = await oauth.processRefreshTokenResponse(
      as,
      client,
      await oauth.refreshTokenGrantRequest(as, client, tls, first.refresh_token!, mtls),
    );
    assert.notEqual(second.access_token, first.access_token);
    assert.deepEqual(confirmation(second.access_token), { "x5t#S256": renewed.thumbprint });
  });

  it("ends with the caller's signal", async () => {
    const signal = AbortSignal.abort(new Error("Called off by the test."));
    const fetch = customFetch({ credential, transports });
    const asked = fetch(provider.issuer, { method: "GET", headers: {}, signal });
    await assert.rejects(asked, /Called off by the test/);
  });

  it("follows no redirect", async () => {
    const { issuer } = provider;
    const answer = new Response(null, { status: 302, headers: { location: issuer } });
    const redirecting = {
      ...transports[0]!,
      accepts: () => true,
      fetch: (request: Request) => {
        assert.equal(request.redirect, "manual");
        return Promise.resolve(answer);
      },
    } as MtlsTransport;
    const fetch = customFetch({ credential, transports: [redirecting] });
    assert.equal((await fetch(issuer, { method: "GET", headers: {} })).status, 302);
  });

  it("is what the documentation shows", async () => {
    await assertExample(import.meta.url, "docs/oauth4webapi.md", "oauth4webapi");
  });

  if (token !== undefined) {
    it("gets a token bound to a key that never leaves its HSM", async () => {
      const keys: Pkcs11KeyProvider = pkcs11Keys({ module: token.library, pin: () => token.pin });
      try {
        const protectedKey = await keys.create("orders", { algorithm: "P-256" });
        const inHsm = await authority.client(protectedKey);
        const accessToken = await clientCredentials(inHsm);
        assert.deepEqual(confirmation(accessToken), { "x5t#S256": inHsm.thumbprint });
      } finally {
        await keys.close();
      }
    });
  }
});
