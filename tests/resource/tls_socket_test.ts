/**
 * A resource server that does mutual TLS itself, by `node:https` of the runtime.
 *
 * @module
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, createServer, request as httpsRequest, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { nodeTlsTransport } from "../../backends/node_tls/mod.ts";
import { boundTokenListener } from "../../resource/node.ts";
import type { ClientCredential } from "../../src/credential.ts";
import { isPemExportable } from "../../src/keys.ts";
import type { MtlsTransport } from "../../src/transports.ts";
import { encodePem } from "../../src/x509/pem.ts";
import { type TlsAuthority, tlsAuthority } from "../support/tls_identities.ts";
import { API, ISSUER, type TokenIssuer, tokenIssuer } from "./support/tokens.ts";

let authority: TlsAuthority;
let issuer: TokenIssuer;
let server: Server;
let port: number;
let transport: MtlsTransport;
let mine: ClientCredential;
let thiefs: ClientCredential;

before(async () => {
  authority = await tlsAuthority("Test CA");
  issuer = await tokenIssuer();
  mine = await authority.client("P-256");
  thiefs = await authority.client("P-256");
  transport = nodeTlsTransport({ ca: authority.pem });
  server = createServer(
    { ...await authority.server(), requestCert: true, rejectUnauthorized: false },
    boundTokenListener((_request, response, { claims }) => void response.end(claims.sub), {
      jwks: issuer.jwks,
      issuer: ISSUER,
      audience: API,
    }),
  ).listen(0, "127.0.0.1");
  await once(server, "listening");
  port = (server.address() as AddressInfo).port;
});
after(async () => {
  await transport.close();
  server.close();
});

async function send(credential: ClientCredential, token: string): Promise<number> {
  const headers = { authorization: `Bearer ${token}` };
  const request = new Request(`https://localhost:${port}/`, { headers });
  const response = await transport.fetch(request, credential, { connection: "fresh" });
  await response.arrayBuffer();
  return response.status;
}

describe("a resource server of node:https", () => {
  it("refuses a stolen token", async () => {
    assert.equal(await send(thiefs, await issuer.token(mine.thumbprint)), 401);
  });

  if (process.versions.bun === undefined) {
    it("takes a token over the connection it is bound to", async () => {
      assert.equal(await send(mine, await issuer.token(mine.thumbprint)), 200);
    });

    for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
      it(`knows the certificate of a resumed session of ${maxVersion} too`, async () => {
        const { key } = mine;
        assert.ok(isPemExportable(key));
        const pem = encodePem("CERTIFICATE", mine.chain[0]!);
        const tls = { cert: pem, key: await key.exportPem(), ca: authority.pem, maxVersion };
        const agent = new Agent({ ...tls, keepAlive: false, maxCachedSessions: 1 });
        const token = await issuer.token(mine.thumbprint);
        for (let i = 0; i < 3; i++) {
          const headers = { authorization: `Bearer ${token}` };
          const outgoing = httpsRequest({ host: "localhost", port, agent, headers });
          outgoing.end();
          const [response] = await once(outgoing, "response");
          response.resume();
          await once(response, "end");
          assert.equal(response.statusCode, 200);
        }
      });
    }
  } else {
    it("refuses everything on Bun, whose node:https shows no client certificate", async () => {
      assert.equal(await send(mine, await issuer.token(mine.thumbprint)), 401);
    });
  }
});
