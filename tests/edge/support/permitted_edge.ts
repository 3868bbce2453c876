/**
 * A Deno program without a backend: it gets a bound token through Deno's own HTTP client and serves a
 * resource that takes it. Writes the statuses of a request with the token and of one without.
 *
 * Its only argument is `{"clientId","authority","cert","key","ca","mtls","jwks","issuer"}` as JSON.
 *
 * @module
 */

import {
  fetcherTransport,
  type PlatformFetcher,
  platformKey,
} from "../../../backends/fetcher/mod.ts";
import { ClientCredential } from "../../../mod.ts";
import { requireBoundToken } from "../../../resource/mod.ts";
import { base64 } from "../../../src/encoding.ts";
import { confidentialClient } from "../../../src/entra/mod.ts";
import { decodePem } from "../../../src/x509/pem.ts";

/** What of Deno is used here. */
declare const Deno: {
  readonly args: readonly string[];
  createHttpClient(options: { cert: string; key: string; caCerts: string[] }): object;
  serve(
    options: { hostname: string; port: number; onListen(): void },
    handler: (request: Request) => Promise<Response>,
  ): { readonly addr: { readonly port: number }; shutdown(): Promise<void> };
};

const { clientId, authority, cert, key, ca, mtls, jwks, issuer } = JSON.parse(Deno.args[0]!);

/** The emulator in place of Entra. */
const fetch: typeof globalThis.fetch = (input, init) => {
  const request = input as Request;
  const url = new URL(request.url);
  const headers = new Headers(request.headers);
  headers.set("x-emulated-host", url.host);
  return globalThis.fetch(
    new Request(mtls + url.pathname, new Request(request, { headers })),
    init,
  );
};
const caCerts = [ca];

// Example deno-client
const http = Deno.createHttpClient({ cert, key, caCerts });
const fetcher: PlatformFetcher = {
  fetch: (request) => fetch(request, { client: http } as RequestInit),
};
// End of example
const [certificate] = decodePem(cert, "CERTIFICATE");
const client = confidentialClient({
  clientId,
  authority,
  credential: await ClientCredential.create(
    [certificate!],
    platformKey({ certificate: certificate! }),
  ),
  transports: [fetcherTransport({ fetcher, certificate: certificate! })],
  tokenTlsVersion: "TLSv1.3",
});
const { accessToken } = await client.getToken({ resource: "https://orders.example.com" });

// Example deno-serve
const handler = requireBoundToken(
  (_request, { claims }) => Response.json({ hello: claims.sub }),
  {
    jwks,
    issuer,
    audience: "https://orders.example.com",
    certificate: { header: "client-cert", format: "rfc9440", trustProxy: true },
  },
);
const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, handler);
// End of example

const url = `http://127.0.0.1:${server.addr.port}/`;
const Authorization = `Bearer ${accessToken}`;
const proxied = { Authorization, "Client-Cert": `:${base64(certificate!)}:` };
for (const headers of [proxied, { Authorization }]) {
  const response = await globalThis.fetch(url, { headers });
  await response.body?.cancel();
  console.log(response.status);
}
await server.shutdown();
