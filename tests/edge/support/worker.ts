/**
 * A Worker that gets bound tokens with a certificate that its platform holds, and a resource server
 * that takes them. Bundled and run by workerd.
 *
 * @module
 */

import { Hono } from "hono";
import {
  fetcherTransport,
  type PlatformFetcher,
  platformKey,
} from "../../../backends/fetcher/mod.ts";
import { ClientCredential, isKeyboundError } from "../../../mod.ts";
import { createFetch } from "../../../plugins/fetch/mod.ts";
import { boundTokenGuard, type JsonWebKeySet } from "../../../resource/mod.ts";
import { fromBase64 } from "../../../src/encoding.ts";
import { confidentialClient } from "../../../src/entra/mod.ts";

/** What the platform's configuration binds. */
interface Env {
  /** Presents the certificate to Entra. */
  readonly ENTRA: PlatformFetcher;
  /** Presents the same certificate to the resource. */
  readonly RESOURCE: PlatformFetcher;
  /** Base64 of the certificate's DER. */
  readonly CERTIFICATE: string;
  readonly CLIENT_ID: string;
  readonly AUTHORITY: string;
  /** The resource's origin. */
  readonly ORIGIN: string;
  readonly ISSUER: string;
  readonly JWKS: JsonWebKeySet;
}

const AUDIENCE = "https://orders.example.com";

async function clientOf(env: Env): Promise<ReturnType<typeof confidentialClient>> {
  const fetcher: PlatformFetcher = {
    fetch: (request) =>
      request.url.startsWith(`${env.ORIGIN}/`)
        ? env.RESOURCE.fetch(request)
        : env.ENTRA.fetch(request),
  };
  const { CLIENT_ID: clientId, AUTHORITY: authority } = env;
  const certificate = fromBase64(env.CERTIFICATE);
  // Example worker-client
  const key = platformKey({ certificate });
  const client = confidentialClient({
    clientId,
    authority,
    credential: await ClientCredential.create([certificate], key),
    transports: [fetcherTransport({ fetcher, certificate })],
    // The platform chooses the version: nothing here can hold it to TLS 1.2.
    tokenTlsVersion: "TLSv1.3",
  });
  // End of example
  return client;
}

function server({ ISSUER: issuer, JWKS: jwks }: Env): Hono {
  // Example worker-server
  const guard = boundTokenGuard({
    jwks,
    issuer,
    audience: "https://orders.example.com",
    schemes: ["mtls_pop"],
    // Only where nothing but the proxy that terminates TLS can reach this server.
    certificate: { header: "client-cert", format: "rfc9440", trustProxy: true },
  });
  const app = new Hono();
  app.get("/orders", async (c) => {
    const access = await guard(c.req.raw);
    if (access instanceof Response) return access;
    return c.json({ hello: access.claims.sub });
  });
  // End of example
  return app;
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const { pathname } = new URL(request.url);
    try {
      if (pathname === "/token") {
        const client = await clientOf(env);
        const { accessToken, tokenType } = await client.getToken({ resource: AUDIENCE });
        return Response.json({ accessToken, tokenType });
      }
      if (pathname === "/resource") {
        const fetch = createFetch(await clientOf(env), {
          resource: "https://vault.azure.net",
          origins: [env.ORIGIN],
        });
        return await fetch(`${env.ORIGIN}/orders`);
      }
    } catch (error) {
      const code = isKeyboundError(error) ? error.code : String(error);
      return Response.json({ code }, { status: 500 });
    }
    return await server(env).fetch(request);
  },
};
