/**
 * The story of a token from a standard authorization server (oidc-provider), told on the runtime it
 * is run on: a line `{"result":{...}}` for each way of client authentication by certificate (RFC
 * 8705 section 2). Reads nothing; its servers run in a Node process of their own, which ends with
 * this one.
 *
 * @module
 */

import process from "node:process";
import { detect } from "../backends/detect.ts";
import type { ClientCredential } from "../src/credential.ts";
import { rfc8705Client, type Rfc8705Token } from "../src/rfc8705/mod.ts";
import { jwtClaims } from "../src/token/access_token.ts";
import type { MtlsTransport } from "../src/transports.ts";
import {
  API,
  type AuthorizationServer,
  type RegisteredClient,
  startAuthorizationServer,
} from "../tests/rfc8705/support/authorization_server.ts";
import { selfSigned } from "../tests/rfc8705/support/credentials.ts";
import { tlsAuthority } from "../tests/support/tls_identities.ts";

/** What came of one way. */
interface Result {
  /** `node`, `deno` or `bun`. */
  readonly runtime: string;
  /** How the client authenticated. */
  readonly method: RegisteredClient["token_endpoint_auth_method"];
  /** Whether `cnf["x5t#S256"]` of the token is the certificate's thumbprint. */
  readonly cnfMatchesCertificate: boolean;
  /** What the resource server answered to token and certificate together. */
  readonly resourceStatus: number;
  /** What it answered to the token with another certificate. */
  readonly stolenTokenStatus: number;
}

async function tellAll(): Promise<void> {
  const authority = await tlsAuthority("Demo CA");
  const [issued, thiefs] = [await authority.client("P-256"), await authority.client("P-256")];
  const own = await selfSigned();
  const server = await startAuthorizationServer({
    server: await authority.server(),
    clientCa: authority.pem,
    clients: [
      {
        client_id: "tls_client_auth",
        token_endpoint_auth_method: "tls_client_auth",
        tls_client_auth_subject_dn: "CN=3c5a7c2e-1f0b-4f0e-9a53-6f0b9d5f7a11",
      },
      {
        client_id: "self_signed_tls_client_auth",
        token_endpoint_auth_method: "self_signed_tls_client_auth",
        jwks: { keys: [own.jwk] },
      },
    ],
  });
  const { transports } = await detect({ ca: authority.pem });
  try {
    say(await tell(server, transports, "tls_client_auth", issued, thiefs));
    say(await tell(server, transports, "self_signed_tls_client_auth", own.credential, thiefs));
  } finally {
    for (const transport of transports) await transport.close();
    await server.close();
  }
}

async function tell(
  { issuer, resource }: AuthorizationServer,
  transports: readonly MtlsTransport[],
  method: Result["method"],
  credential: ClientCredential,
  thiefs: ClientCredential,
): Promise<Result> {
  const client = rfc8705Client({ issuer, clientId: method, credential, transports });
  const token = await client.getToken({ resource: API });
  const response = await client.fetch(`${resource}/orders`, { resource: API });
  await response.arrayBuffer();
  const headers = { Authorization: `${token.tokenType} ${token.accessToken}` };
  const stolen = await transports[0]!.fetch(new Request(`${resource}/orders`, { headers }), thiefs);
  await stolen.arrayBuffer();
  await client.close();
  return {
    runtime: runtimeName(),
    method,
    cnfMatchesCertificate: confirmation(token) === credential.thumbprint,
    resourceStatus: response.status,
    stolenTokenStatus: stolen.status,
  };
}

/** `cnf["x5t#S256"]` of the token (RFC 8705 section 3.1). */
function confirmation({ accessToken }: Rfc8705Token): unknown {
  return (jwtClaims(accessToken)?.cnf as { "x5t#S256"?: unknown } | undefined)?.["x5t#S256"];
}

function runtimeName(): string {
  if ("Deno" in globalThis) return "deno";
  return process.versions.bun === undefined ? "node" : "bun";
}

function say(result: Result): void {
  console.log(JSON.stringify({ result }));
}

await tellAll();
