/**
 * Responses that are made to be misread: smuggled, spliced, or none at all.
 *
 * @module
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { nodeTlsTransport } from "../../backends/node_tls/mod.ts";
import { opensslTransport } from "../../backends/openssl/mod.ts";
import { webcryptoKeys } from "../../backends/webcrypto/mod.ts";
import type { ClientCredential } from "../../src/credential.ts";
import type { MtlsTransport } from "../../src/transports.ts";
import { TransportError } from "../../src/transports.ts";
import { type TlsAuthority, tlsAuthority } from "../support/tls_identities.ts";
import { startTlsServers, type TlsServers } from "../support/tls_servers.ts";

const OK = "HTTP/1.1 200 OK\r\n";
const TWO = `${OK}Content-Length: 2\r\n\r\nok`;

/** What is never taken for an answer. */
const REFUSED: Readonly<Record<string, string>> = {
  "two lengths": `${OK}Content-Length: 2\r\nContent-Length: 6\r\n\r\nokevil`,
  "a list of lengths": `${OK}Content-Length: 2, 6\r\n\r\nokevil`,
  "a negative length": `${OK}Content-Length: -2\r\n\r\nok`,
  "a length and chunks":
    `${OK}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`,
  "a chunk of no length": `${OK}Transfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n0\r\n\r\n`,
  "a header without a colon": `${OK}Content-Length: 2\r\nevil\r\n\r\nok`,
  "a zero byte in a header": `${OK}Content-Length: 2\r\nX-A: a\0b\r\n\r\nok`,
  "another protocol":
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: evil\r\nConnection: upgrade\r\n\r\nevil",
  "a version that isn't": "HTTP/9.9 200 OK\r\nContent-Length: 2\r\n\r\nok",
  "informational answers alone": "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n",
};

const TRANSPORTS: Readonly<Record<string, (ca: string) => MtlsTransport>> = {
  opensslTransport: (ca) => opensslTransport({ ca }),
  nodeTlsTransport: (ca) => nodeTlsTransport({ ca }),
};

for (const [name, make] of Object.entries(TRANSPORTS)) {
  describe(`hostile responses to ${name}`, () => {
    let authority: TlsAuthority;
    let servers: TlsServers;
    let transport: MtlsTransport;
    let credential: ClientCredential;

    before(async () => {
      authority = await tlsAuthority("Hostile Test");
      const identity = await authority.server();
      const raw = (send: string, close?: "fin") => ({
        kind: "tls" as const,
        ...identity,
        version: "TLSv1.3" as const,
        await: "request" as const,
        send,
        ...(close === undefined ? {} : { close }),
      });
      servers = await startTlsServers({
        ...Object.fromEntries(
          Object.entries(REFUSED).map(([what, send]) => [what, raw(send, "fin")]),
        ),
        spliced: raw(`${TWO}${OK}Content-Length: 4\r\n\r\nevil`),
        "no content": raw("HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil"),
        "not modified": raw("HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil"),
        head: raw(`${OK}Content-Length: 4\r\n\r\nevil`),
      });
      transport = make(authority.pem);
      credential = await authority.client(
        await webcryptoKeys().create("k", { algorithm: "P-256" }),
      );
    });
    after(async () => {
      await transport?.close();
      await servers?.close();
    });
    const send = (server: string, method = "GET") =>
      transport.fetch(new Request(servers.url(server), { method }), credential);

    for (const what of Object.keys(REFUSED)) {
      it(`with ${what} fail`, async () => {
        const body = async () => await (await send(what)).text();
        await assert.rejects(body(), (error) => error instanceof TransportError);
      });
    }

    it("never answer the next request", async () => {
      for (
        const [server, method] of [["spliced"], ["no content"], ["not modified"], [
          "head",
          "HEAD",
        ]] as const
      ) {
        for (let i = 0; i < 3; i++) {
          const text = await send(server, method).then((it) => it.text(), (error) => {
            assert.ok(error instanceof TransportError, String(error));
            return "";
          });
          assert.ok(!text.includes("evil"), `${server}: ${text}`);
        }
      }
    });
  });
}
