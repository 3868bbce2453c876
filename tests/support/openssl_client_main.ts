/**
 * A program that makes one request over OpenSSL and then has nothing left to do. Its orders are the
 * JSON on standard input; it must end by itself, idle connection and threads or not.
 *
 * @module
 */

import { createPrivateKey } from "node:crypto";
import process from "node:process";
import { opensslTransport, type Signing } from "../../backends/openssl/mod.ts";
import { ClientCredential } from "../../src/credential.ts";
import { decodePem } from "../../src/x509/pem.ts";
import { synchronousKeyOf } from "./synchronous_keys.ts";

/** What the program is told. */
export interface OpensslClientOrders {
  readonly url: string;
  /** PEM of the authority of the server. */
  readonly ca: string;
  /** PEM of the client's certificate, and of its key, on P-256. */
  readonly cert: string;
  readonly key: string;
  readonly signing: Signing;
  /** Whether the last thing it does is to wait for the transport's end. */
  readonly closes: boolean;
}

async function main(): Promise<void> {
  let input = "";
  for await (const chunk of process.stdin) input += chunk;
  const { url, ca, cert, key, signing, closes } = JSON.parse(input) as OpensslClientOrders;
  const credential = await ClientCredential.create(
    decodePem(cert, "CERTIFICATE"),
    synchronousKeyOf(createPrivateKey(key), ["ecdsa_secp256r1_sha256"]),
  );
  const transport = opensslTransport({ ca, signing, keepAliveTimeout: 600_000 });
  const response = await transport.fetch(new Request(url), credential);
  await response.text();
  console.log(`status ${response.status}`);
  if (closes) await transport.close();
}

await main();
