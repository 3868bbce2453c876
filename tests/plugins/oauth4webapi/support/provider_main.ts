/**
 * The process behind `provider.ts`: reads a `ProviderSpec` from standard input, writes the issuer, and
 * on `end` how many requests came without a certificate.
 *
 * Users are asked by CIBA (OpenID Connect Client-Initiated Backchannel Authentication) and agree at
 * once, so that there are refresh tokens without a browser.
 *
 * @module
 */

import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";
import type { TLSSocket } from "node:tls";
import { API, CLIENT_ID, type ProviderSpec } from "./provider.ts";

// It says what it thinks of its storage in memory, and standard output is for the test.
console.info = console.warn = () => {};
const { default: Provider } = await import("oidc-provider");

const CIBA = "urn:openid:params:grant-type:ciba";

interface Context {
  readonly req: IncomingMessage & { readonly socket: TLSSocket };
}

/** What of its models is used here. */
interface Models {
  readonly Grant: new (grant: object) => {
    addOIDCScope(scope: string): void;
    addResourceScope(resource: string, scope: string): void;
    save(): Promise<string>;
  };
  backchannelResult(request: object, grant: object): Promise<void>;
}

const bare: Record<string, number> = {};

function tell(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

function peerOf({ req }: Context): X509Certificate | undefined {
  const { raw } = req.socket.getPeerCertificate();
  return raw === undefined ? undefined : new X509Certificate(raw);
}

async function serve({ server, clientCa, subject }: ProviderSpec): Promise<void> {
  const https = createServer({
    ...server,
    ca: clientCa,
    requestCert: true,
    rejectUnauthorized: false,
  }).listen(0, "127.0.0.1");
  https.on("tlsClientError", () => {});
  await once(https, "listening");
  const issuer = `https://localhost:${(https.address() as AddressInfo).port}`;
  const signing = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, [
    "sign",
    "verify",
  ]);
  const key = await crypto.subtle.exportKey("jwk", signing.privateKey);
  const alg = "ES256";

  const provider = new Provider(issuer, {
    clients: [{
      client_id: CLIENT_ID,
      token_endpoint_auth_method: "tls_client_auth",
      tls_client_auth_subject_dn: subject,
      tls_client_certificate_bound_access_tokens: true,
      grant_types: ["client_credentials", "refresh_token", CIBA],
      response_types: [],
      redirect_uris: [],
      backchannel_token_delivery_mode: "poll",
      id_token_signed_response_alg: alg,
      introspection_signed_response_alg: alg,
    }],
    clientDefaults: { id_token_signed_response_alg: alg },
    clientAuthMethods: ["tls_client_auth"],
    jwks: { keys: [{ ...key, kid: "signing", alg, use: "sig" }] },
    scopes: ["openid", "offline_access", "read"],
    findAccount: (_context: unknown, id: string) => ({
      accountId: id,
      claims: () => ({ sub: id }),
    }),
    discovery: {
      mtls_endpoint_aliases: {
        token_endpoint: `${issuer}/token`,
        backchannel_authentication_endpoint: `${issuer}/backchannel`,
      },
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      ciba: {
        enabled: true,
        deliveryModes: ["poll"],
        processLoginHint: (_context: unknown, hint: string) => hint,
        validateRequestContext: () => {},
        validateBindingMessage: () => {},
        verifyUserCode: () => {},
        async triggerAuthenticationDevice(_context: unknown, request: { accountId: string }) {
          const { Grant, backchannelResult } = provider as unknown as Models;
          const grant = new Grant({ clientId: CLIENT_ID, accountId: request.accountId });
          grant.addOIDCScope("openid offline_access");
          grant.addResourceScope(API, "read");
          await grant.save();
          await backchannelResult.call(provider, request, grant);
        },
      },
      mTLS: {
        enabled: true,
        certificateBoundAccessTokens: true,
        tlsClientAuth: true,
        getCertificate: peerOf,
        certificateAuthorized: ({ req }: Context) => req.socket.authorized,
        certificateSubjectMatches: (context: Context, property: string, expected: string) =>
          property === "tls_client_auth_subject_dn" && peerOf(context)?.subject === expected,
      },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_context: unknown, audience: string) => ({
          scope: "read",
          audience,
          accessTokenTTL: 600,
          accessTokenFormat: "jwt",
          jwt: { sign: { alg } },
        }),
      },
    },
  });
  const callback = provider.callback();
  https.on("request", (request, response) => {
    if (peerOf({ req: request as Context["req"] }) === undefined) {
      const name = `${request.method} ${request.url}`;
      bare[name] = (bare[name] ?? 0) + 1;
    }
    callback(request, response);
  });
  tell({ issuer });
}

const input = createInterface({ input: process.stdin });
// Whoever started this process has gone.
input.on("close", () => process.exit(0));
input.on("line", (line) => {
  if (line === "end") tell(bare);
  else serve(JSON.parse(line));
});
