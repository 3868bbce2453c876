/**
 * The process behind `authorization_server.ts`: reads a `ServerSpec` from standard input, writes its
 * addresses, answers `"counts"`, and ends with its input.
 *
 * @module
 */

import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, RequestListener } from "node:http";
import { createServer, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";
import type { TLSSocket } from "node:tls";
import { boundTokenListener } from "../../../resource/node.ts";
import { thumbprintS256 } from "../../../src/x509/thumbprint.ts";
import { API, OPAQUE_API, type ServerSpec } from "./authorization_server.ts";

// At every start it says, among other things, that its storage in memory is for development only.
console.warn = () => {};
const { default: Provider } = await import("oidc-provider");

const SCOPES = "read write";

interface ProviderContext {
  readonly req: IncomingMessage & { readonly socket: TLSSocket };
}

const counts: Record<string, number> = {};

function tell(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

function peerOf({ req }: ProviderContext): X509Certificate | undefined {
  const { raw } = req.socket.getPeerCertificate();
  return raw === undefined ? undefined : new X509Certificate(raw);
}

/** A TLS server whose listener is set later, and its origin. */
async function listen(
  options: ServerOptions,
): Promise<{ origin: string; serve: (listener: RequestListener) => void }> {
  const server = createServer(options).listen(0, "127.0.0.1");
  server.on("tlsClientError", () => {});
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    origin: `https://localhost:${port}`,
    serve: (listener) => void server.on("request", listener),
  };
}

async function serve({ server, clientCa, clients, tokenLife = 600 }: ServerSpec): Promise<void> {
  const tls = { ...server, ca: clientCa, rejectUnauthorized: false };
  const plain = await listen({ ...tls, requestCert: false });
  const mutual = await listen({ ...tls, requestCert: true });
  const resource = await listen({ ...tls, requestCert: true });

  const signing = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, [
    "sign",
    "verify",
  ]);
  const key = { ...await crypto.subtle.exportKey("jwk", signing.privateKey), kid: "signing" };
  const { kty, crv, x, y, kid } = key;
  const jwks = { keys: [{ kty, crv, x, y, kid, alg: "ES256", use: "sig" }] };

  const provider = new Provider(plain.origin, {
    clients: clients.map((client) => ({
      ...client,
      grant_types: ["client_credentials"],
      response_types: [],
      redirect_uris: [],
      tls_client_certificate_bound_access_tokens: true,
      id_token_signed_response_alg: "ES256",
      introspection_signed_response_alg: "ES256",
    })),
    clientDefaults: { id_token_signed_response_alg: "ES256" },
    clientAuthMethods: ["tls_client_auth", "self_signed_tls_client_auth"],
    jwks: { keys: [{ kty, crv, x, y, d: key.d, kid, alg: "ES256", use: "sig" }] },
    scopes: SCOPES.split(" "),
    ttl: { ClientCredentials: tokenLife },
    discovery: {
      mtls_endpoint_aliases: {
        token_endpoint: `${mutual.origin}/token`,
        introspection_endpoint: `${mutual.origin}/token/introspection`,
      },
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true },
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        tlsClientAuth: true,
        selfSignedTlsClientAuth: true,
        getCertificate: peerOf,
        certificateAuthorized: ({ req }: ProviderContext) => req.socket.authorized,
        certificateSubjectMatches: (ctx: ProviderContext, property: string, expected: string) =>
          property === "tls_client_auth_subject_dn" && peerOf(ctx)?.subject === expected,
      },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_ctx: unknown, indicator: string) => ({
          scope: SCOPES,
          audience: indicator,
          accessTokenTTL: tokenLife,
          accessTokenFormat: indicator === OPAQUE_API ? "opaque" : "jwt",
          ...(indicator === OPAQUE_API ? {} : { jwt: { sign: { alg: "ES256" } } }),
        }),
      },
    },
  });
  const callback = provider.callback();
  for (const { serve } of [plain, mutual]) {
    serve((request, response) => {
      const name = `${request.method} ${request.url}`;
      counts[name] = (counts[name] ?? 0) + 1;
      callback(request, response);
    });
  }
  resource.serve(boundTokenListener(async (_request, response, { claims, certificate }) => {
    const thumbprint = await thumbprintS256(new Uint8Array(certificate));
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ sub: claims.sub, thumbprint }));
  }, {
    jwks,
    issuer: plain.origin,
    audience: API,
    schemes: ["Bearer", "mtls_pop"],
    onError: (error) => console.error(error),
  }));
  tell({
    issuer: plain.origin,
    tokenAlias: `${mutual.origin}/token`,
    resource: resource.origin,
    jwks,
  });
}

const input = createInterface({ input: process.stdin });
// Whoever started this process has gone.
input.on("close", () => process.exit(0));
input.on("line", (line) => {
  const message: unknown = JSON.parse(line);
  if (message === "counts") tell(counts);
  else serve(message as ServerSpec);
});
