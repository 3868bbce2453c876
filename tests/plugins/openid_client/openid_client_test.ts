/**
 * openid-client against oidc-provider, with certificate-bound tokens.
 *
 * @module
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { decodeJwt } from "jose";
import * as client from "openid-client";
import { nodeTlsTransport } from "../../../backends/node_tls/mod.ts";
import { customFetch } from "../../../plugins/oauth4webapi/mod.ts";
import type { ClientCredential } from "../../../src/credential.ts";
import type { MtlsTransport } from "../../../src/transports.ts";
import { assertExample } from "../../edge/support/examples.ts";
import {
  API,
  CLIENT_ID,
  type RunningProvider,
  startProvider,
} from "../oauth4webapi/support/provider.ts";
import { type TlsAuthority, tlsAuthority } from "../../support/tls_identities.ts";

let authority: TlsAuthority;
let provider: RunningProvider;
let transports: MtlsTransport[];

before(async () => {
  authority = await tlsAuthority("Test CA");
  transports = [nodeTlsTransport({ ca: authority.pem })];
  provider = await startProvider({
    server: await authority.server(),
    clientCa: authority.pem,
    subject: "CN=3c5a7c2e-1f0b-4f0e-9a53-6f0b9d5f7a11",
  });
});
after(async () => {
  await transports[0]!.close();
  assert.deepEqual(await provider.close(), {}, "nothing came without a certificate");
});

async function configuration(credential: ClientCredential): Promise<client.Configuration> {
  const { issuer } = provider;
  // Example openid-client
  const config = await client.discovery(
    new URL(issuer),
    "orders",
    { use_mtls_endpoint_aliases: true, id_token_signed_response_alg: "ES256" },
    client.TlsClientAuth(),
    { [client.customFetch]: customFetch({ credential, transports }) },
  );
  const { access_token } = await client.clientCredentialsGrant(config, {
    scope: "read",
    resource: "https://api.example.com",
  });
  // End of example
  assert.deepEqual(decodeJwt(access_token)["cnf"], { "x5t#S256": credential.thumbprint });
  return config;
}

describe("customFetch with openid-client", () => {
  it("is refused with the certificate of a stranger", async () => {
    const stranger = await (await tlsAuthority("Another CA")).client("P-256");
    await assert.rejects(configuration(stranger), { error: "invalid_client" });
  });

  it("gets a token by client credentials, and one that it refreshes", async () => {
    const credential = await authority.client("P-256");
    const config = await configuration(credential);
    assert.equal(config.clientMetadata().client_id, CLIENT_ID);
    const started = await client.initiateBackchannelAuthentication(config, {
      scope: "openid offline_access read",
      resource: API,
      login_hint: "ada",
    });
    // The user has agreed already: nobody waits for the interval between two questions.
    const first = await client.pollBackchannelAuthenticationGrant(config, {
      ...started,
      interval: 0.001,
    });
    const second = await client.refreshTokenGrant(config, first.refresh_token!);
    for (const { access_token } of [first, second]) {
      assert.deepEqual(decodeJwt(access_token)["cnf"], { "x5t#S256": credential.thumbprint });
    }
    assert.notEqual(first.access_token, second.access_token);
  });

  it("also takes it as a property of a configuration that is there", async () => {
    const credential = await authority.client("P-256");
    const config = await configuration(credential);
    const renewed = await authority.client("P-256");
    config[client.customFetch] = customFetch({ credential: renewed, transports });
    const { access_token } = await client.clientCredentialsGrant(config, { resource: API });
    assert.deepEqual(decodeJwt(access_token)["cnf"], { "x5t#S256": renewed.thumbprint });
  });

  it("keeps why a request failed as the cause", async () => {
    const url = new URL("https://localhost:1/");
    const credential = await authority.client("P-256");
    const asked = client.discovery(url, CLIENT_ID, {}, client.TlsClientAuth(), {
      [client.customFetch]: customFetch({ credential, transports }),
    });
    await assert.rejects(asked, (error: Error) => {
      const causes = [error, error.cause, (error.cause as Error | undefined)?.cause];
      return causes.some((cause) => (cause as { code?: string })?.code === "network_unreachable");
    });
  });

  it("is what the documentation shows", async () => {
    await assertExample(import.meta.url, "docs/oauth4webapi.md", "openid-client");
  });
});
