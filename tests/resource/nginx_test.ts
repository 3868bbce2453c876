/**
 * nginx terminates mutual TLS in front of a resource server of the runtime's own.
 *
 * @module
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { request as httpsRequest } from "node:https";
import { after, before, describe, it } from "node:test";
import { nodeTlsTransport } from "../../backends/node_tls/mod.ts";
import { requireBoundToken } from "../../resource/mod.ts";
import type { ClientCredential } from "../../src/credential.ts";
import type { MtlsTransport } from "../../src/transports.ts";
import { encodePem } from "../../src/x509/pem.ts";
import { type TlsAuthority, tlsAuthority } from "../support/tls_identities.ts";
import { type FetchServer, serveFetch } from "./support/fetch_server.ts";
import { NGINX, type Nginx, startNginx } from "./support/nginx.ts";
import { API, ISSUER, type TokenIssuer, tokenIssuer } from "./support/tokens.ts";

let authority: TlsAuthority;
let issuer: TokenIssuer;
let server: FetchServer;
let transport: MtlsTransport;
let mine: ClientCredential;
let thiefs: ClientCredential;

before(async () => {
  authority = await tlsAuthority("Test CA");
  issuer = await tokenIssuer();
  mine = await authority.client("P-256");
  thiefs = await (await tlsAuthority("Another CA")).client("RSA-2048");
  transport = nodeTlsTransport({ ca: authority.pem });
  server = await serveFetch(requireBoundToken(
    (_request, { claims }) => Response.json({ sub: claims.sub }),
    {
      jwks: issuer.jwks,
      issuer: ISSUER,
      audience: API,
      certificate: { header: "x-client-cert", format: "nginx", trustProxy: true },
    },
  ));
});
after(async () => {
  await transport.close();
  await server.close();
});

/** The victim's certificate is no secret: a thief has it, and can write it into a header. */
function forged(): string {
  return encodeURIComponent(encodePem("CERTIFICATE", mine.chain[0]!));
}

describe("a resource server that trusts a proxy", () => {
  it("refuses a token where no certificate is told of, proxy or not", async () => {
    const authorization = `Bearer ${await issuer.token(mine.thumbprint)}`;
    const response = await fetch(`${server.origin}/`, { headers: { authorization } });
    await response.arrayBuffer();
    assert.equal(response.status, 401);
  });

  it("believes whoever reaches it around the proxy, which is why nobody may", async () => {
    const authorization = `Bearer ${await issuer.token(mine.thumbprint)}`;
    const headers = { authorization, "x-client-cert": forged() };
    const response = await fetch(`${server.origin}/`, { headers });
    await response.arrayBuffer();
    assert.equal(response.status, 200);
  });
});

if (NGINX !== undefined) {
  describe("behind nginx", () => {
    let nginx: Nginx;
    before(async () => {
      nginx = await startNginx(await authority.server(), server.origin);
    });
    after(async () => {
      await nginx.close();
    });

    async function send(
      credential: ClientCredential,
      headers: HeadersInit,
    ): Promise<[number, string | null]> {
      const request = new Request(`${nginx.origin}/orders`, { headers });
      const response = await transport.fetch(request, credential);
      await response.arrayBuffer();
      return [response.status, response.headers.get("www-authenticate")];
    }

    it("a token passes over the connection it is bound to", async () => {
      for (const credential of [mine, thiefs]) {
        const authorization = `Bearer ${await issuer.token(credential.thumbprint)}`;
        assert.deepEqual(await send(credential, { authorization }), [200, null]);
      }
    });

    it("a stolen token doesn't, nor does it with the victim's certificate in a header", async () => {
      const authorization = `Bearer ${await issuer.token(mine.thumbprint)}`;
      const attempts: Record<string, string>[] = [{}, { "x-client-cert": forged() }, {
        "X-CLIENT-CERT": forged(),
      }];
      for (const headers of attempts) {
        const [status, challenge] = await send(
          thiefs,
          { authorization, ...headers },
        );
        assert.equal(status, 401);
        assert.match(challenge!, /^Bearer realm="[^"]+", error="invalid_token"/);
      }
    });

    it("a stolen token doesn't over a connection without a certificate", async () => {
      const authorization = `Bearer ${await issuer.token(mine.thumbprint)}`;
      const headers = { authorization, "x-client-cert": forged() };
      const ca = authority.pem;
      const outgoing = httpsRequest(`${nginx.origin}/`, { ca, headers, agent: false });
      outgoing.end();
      const [response] = await once(outgoing, "response");
      response.resume();
      assert.equal(response.statusCode, 401);
    });

    it("a request without a token is told what would do", async () => {
      assert.deepEqual(await send(mine, {}), [401, `Bearer realm="${API}"`]);
    });
  });
}
