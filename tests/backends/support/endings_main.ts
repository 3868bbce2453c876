/**
 * A program that uses connections which their server ends without a word after a complete answer. It
 * writes `alive` when it has outlived them all.
 *
 * @module
 */

import { opensslTransport } from "../../../backends/openssl/mod.ts";
import { synchronousKey } from "../../support/synchronous_keys.ts";
import { tlsAuthority } from "../../support/tls_identities.ts";
import { startTlsServers } from "../../support/tls_servers.ts";

const ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n";
/** The end has to come while nobody is waiting: often enough that it does. */
const ROUNDS = 20;

const authority = await tlsAuthority("Endings");
const client = await authority.client(synchronousKey("P-256"));
const tls = {
  kind: "tls",
  ...await authority.server(),
  version: "TLSv1.2",
  await: "request",
} as const;
const closing = `${ANSWER}Connection: close\r\n\r\nok`;
const servers = await startTlsServers({
  announced: { ...tls, send: closing, close: "fin" },
  unannounced: { ...tls, send: `${ANSWER}\r\nok`, close: "fin" },
  reset: { ...tls, send: closing, close: "reset" },
});
const transport = opensslTransport({ ca: authority.pem });
for (const connection of ["fresh", "pooled"] as const) {
  for (const end of ["announced", "unannounced", "reset"]) {
    for (let i = 0; i < ROUNDS; i++) {
      const ended = servers.next(end, "closed");
      const request = new Request(servers.url(end));
      const text = await transport.fetch(request, client, { connection })
        .then((response) => response.text(), () => "an error");
      // A reset may overtake the answer.
      if (end !== "reset" && text !== "ok") throw new Error(`${connection}, ${end}: ${text}`);
      await ended;
    }
  }
}
await transport.close();
await servers.close();
console.log("alive");
