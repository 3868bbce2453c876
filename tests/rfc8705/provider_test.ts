/**
 * Bound tokens from oidc-provider over real TLS: both ways of authentication, theft, rotation.
 *
 * @module
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { nodeTlsTransport } from "../../backends/node_tls/mod.ts";
import type { ClientCredential } from "../../src/credential.ts";
import type { KeyboundEvent } from "../../src/events.ts";
import {
  type Rfc8705Client,
  rfc8705Client,
  type Rfc8705ClientOptions,
} from "../../src/rfc8705/mod.ts";
import type { MtlsTransport } from "../../src/transports.ts";
import { tlsAuthority } from "../support/tls_identities.ts";
import { until } from "../support/waiting.ts";
import {
  API,
  type AuthorizationServer,
  OPAQUE_API,
  startAuthorizationServer,
} from "./support/authorization_server.ts";
import { selfSigned } from "./support/credentials.ts";

const SUBJECT = "CN=3c5a7c2e-1f0b-4f0e-9a53-6f0b9d5f7a11";

let server: AuthorizationServer;
let transport: MtlsTransport;
/** By an authority, both for the same subject. */
let issued: ClientCredential[];
/** By themselves, both registered. */
let own: ClientCredential[];
let stranger: ClientCredential;
let clients: Rfc8705Client[] = [];

before(async () => {
  const authority = await tlsAuthority("Test CA");
  const others = await tlsAuthority("Another CA");
  issued = [await authority.client("P-256"), await authority.client("P-256")];
  stranger = await others.client("P-256");
  const signed = [await selfSigned(), await selfSigned()];
  own = signed.map(({ credential }) => credential);
  server = await startAuthorizationServer({
    server: await authority.server(),
    clientCa: authority.pem,
    clients: [
      {
        client_id: "by-authority",
        token_endpoint_auth_method: "tls_client_auth",
        tls_client_auth_subject_dn: SUBJECT,
      },
      {
        client_id: "by-itself",
        token_endpoint_auth_method: "self_signed_tls_client_auth",
        jwks: { keys: signed.map(({ jwk }) => jwk) },
      },
    ],
  });
  transport = nodeTlsTransport({ ca: authority.pem });
});
after(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await transport.close();
  await server.close();
  clients = [];
});

function clientOf(options: Partial<Rfc8705ClientOptions> = {}): Rfc8705Client {
  const client = rfc8705Client({
    issuer: server.issuer,
    clientId: "by-authority",
    credential: issued[0]!,
    transports: [transport],
    ...options,
  });
  clients.push(client);
  return client;
}

async function use(credential: ClientCredential, token: string): Promise<[number, string | null]> {
  const headers = { Authorization: `Bearer ${token}` };
  const response = await transport.fetch(new Request(server.resource, { headers }), credential);
  await response.arrayBuffer();
  return [response.status, response.headers.get("www-authenticate")];
}

describe("a client that oidc-provider knows", () => {
  const methods: [string, string, () => ClientCredential][] = [
    ["tls_client_auth", "by-authority", () => issued[0]!],
    ["self_signed_tls_client_auth", "by-itself", () => own[0]!],
  ];
  for (const [method, clientId, credential] of methods) {
    describe(`by ${method}`, () => {
      it("gets a token bound to its certificate and is let in with both", async () => {
        const client = clientOf({ clientId, credential: credential() });
        const token = await client.getToken({ resource: API, scope: "read" });
        const { thumbprint } = credential();
        assert.equal(token.tokenType, "Bearer");
        assert.equal(token.confirmed, true);
        assert.equal(token.scope, "read");
        assert.equal(token.binding.credential.thumbprint, thumbprint);
        const response = await client.fetch(`${server.resource}/orders`, {
          resource: API,
          scope: "read",
        });
        assert.equal(response.status, 200);
        assert.deepEqual(await response.json(), { sub: clientId, thumbprint });
      });

      it("is of no use to a thief with another certificate", async () => {
        const client = clientOf({ clientId, credential: credential() });
        const { accessToken } = await client.getToken({ resource: API });
        const [status, challenge] = await use(stranger, accessToken);
        assert.equal(status, 401);
        assert.match(challenge!, /^Bearer realm="[^"]+", error="invalid_token"/);
        assert.deepEqual(await use(credential(), accessToken), [200, null]);
      });

      it("is refused with a certificate that isn't the client's", async () => {
        const client = clientOf({ clientId, credential: stranger });
        await assert.rejects(client.getToken({ resource: API }), { code: "invalid_client" });
      });
    });
  }
});

describe("a token from oidc-provider", () => {
  it("comes from the endpoint for certificates, after one look at the metadata", async () => {
    const client = clientOf();
    const before = await server.counts();
    await client.getToken({ resource: API });
    await client.getToken({ resource: API });
    await client.getToken({ resource: API, forceRefresh: true });
    const counts = await server.counts();
    const rise = (name: string) => (counts[name] ?? 0) - (before[name] ?? 0);
    assert.equal(rise("GET /.well-known/oauth-authorization-server"), 1);
    assert.equal(rise("POST /token"), 2);
  });

  it("that is opaque is confirmed by introspection, if that is asked for", async () => {
    const trusting = await clientOf().getToken({ resource: OPAQUE_API });
    assert.equal(trusting.confirmed, false);
    const asking = await clientOf({ introspect: true }).getToken({ resource: OPAQUE_API });
    assert.equal(asking.confirmed, true);
    assert.equal(asking.accessToken.includes("."), false);
  });

  it("for two resources is refused by this server, with its own code", async () => {
    const asked = clientOf().getToken({ resource: [API, OPAQUE_API] });
    await assert.rejects(asked, { code: "invalid_target", status: 400 });
  });
});

describe("a certificate's rotation", () => {
  it("goes on without a request that fails", async () => {
    for (
      const [clientId, [first, second]] of [["by-authority", issued], ["by-itself", own]] as const
    ) {
      let current = first!;
      const events: KeyboundEvent[] = [];
      const credential = () => current;
      const onEvent = (event: KeyboundEvent) => void events.push(event);
      const client = clientOf({ clientId, credential, onEvent });
      const presented = async () => {
        const response = await client.fetch(server.resource, { resource: API });
        const { thumbprint } = await response.json() as { thumbprint?: string };
        return [response.status, thumbprint];
      };
      assert.deepEqual(await presented(), [200, first!.thumbprint]);
      current = second!;
      assert.deepEqual(await presented(), [200, first!.thumbprint], "token and certificate pair");
      // Anything that asks the server finds the new certificate; the rest follows by itself.
      const load = Promise.all(Array.from({ length: 20 }, presented));
      await client.getToken({ resource: API, scope: "write" });
      for (const [status] of await load) assert.equal(status, 200);
      assert.equal((await presented())[0], 200, "nobody waits");
      await until(() => events.some(({ type }) => type === "refresh"));
      assert.deepEqual(await presented(), [200, second!.thumbprint]);
    }
  });
});
