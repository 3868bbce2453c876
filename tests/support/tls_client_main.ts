/**
 * A program that makes one request and then has nothing left to do. Its orders are the JSON on
 * standard input; it must end by itself, idle connection or not.
 *
 * @module
 */

import { createPublicKey } from "node:crypto";
import process from "node:process";
import { nodeTlsTransport } from "../../backends/node_tls/mod.ts";
import { ClientCredential } from "../../src/credential.ts";
import { decodePem } from "../../src/x509/pem.ts";

/** What the program is told. */
export interface ClientOrders {
  readonly url: string;
  /** PEM of the authority of the server. */
  readonly ca: string;
  /** PEM of the client's certificate, and of its key. */
  readonly cert: string;
  readonly key: string;
}

async function main(): Promise<void> {
  let input = "";
  for await (const chunk of process.stdin) input += chunk;
  const { url, ca, cert, key } = JSON.parse(input) as ClientOrders;
  const spki = createPublicKey(key).export({ type: "spki", format: "der" });
  const credential = await ClientCredential.create(
    decodePem(cert, "CERTIFICATE"),
    {
      id: "key",
      strength: "software",
      spki: Uint8Array.from(spki),
      schemes: [],
      sign: () => Promise.reject(new Error("This key doesn't sign.")),
      exportPem: () => Promise.resolve(key),
    } as ClientCredential["key"],
  );
  const transport = nodeTlsTransport({ ca, keepAliveTimeout: 600_000 });
  const response = await transport.fetch(new Request(url), credential);
  await response.text();
  console.log(`status ${response.status}`);
}

await main();
