/**
 * One token from the token endpoint: over mutual TLS with the client's certificate, or by plain
 * fetch at the login host.
 *
 * @module
 */

import type { FlightContext } from "../binding/context.ts";
import { checkKey } from "../binding/key.ts";
import type { Clock } from "../clock.ts";
import { KeyboundError } from "../errors.ts";
import { type Answer, exchange } from "../http.ts";
import { tokenEndpointPolicy } from "../policy/retry.ts";
import { checkBoundToken } from "../token/access_token.ts";
import { readTokenAnswer, type TokenAnswer } from "../token/response.ts";
import type { Throttle } from "../token/throttle.ts";
import type { MtlsTransport, TlsVersion } from "../transports.ts";
import { wireError } from "../wire_error.ts";
import { signAssertion } from "./assertion.ts";
import type { Mode } from "./mode.ts";
import type { Proof } from "./proof.ts";
import { entraTokenRequest, resourceOf } from "./request.ts";

/** What requests to the token endpoint need. */
export interface EntraEndpoint {
  /** The client. */
  readonly clientId: string;
  /** Transports, best first. */
  readonly transports: readonly MtlsTransport[];
  /** Plain fetch. */
  readonly fetch: typeof globalThis.fetch;
  /** Time. */
  readonly clock: Clock;
  /** Randomness in [0, 1). */
  readonly random: () => number;
  /** Ids. */
  readonly crypto: Pick<Crypto, "randomUUID">;
  /** Milliseconds for one attempt. */
  readonly tokenTimeout: number;
  /** Highest TLS version to offer. */
  readonly tokenTlsVersion: TlsVersion;
  /** Requests that the server wants held back, by cache key. */
  readonly throttle: Throttle;
}

/** What is asked for. */
export interface EntraQuery {
  /** Tells requests apart that ask for the same: the key in the token cache. */
  readonly cacheKey: string;
  /** The scope. */
  readonly scope: string;
  /** The merged `claims` parameter. */
  readonly claims: string | undefined;
  /** Path of a federated managed identity. */
  readonly fmiPath: string | undefined;
}

/** How and where it is asked for. */
export interface EntraRoute {
  /** With which assertion, over what, for which kind of token. */
  readonly mode: Mode;
  /** URL of the token endpoint. */
  readonly url: string;
  /** What proves the client: on the wire and in the body the same. */
  readonly proof: Proof;
}

/**
 * The token. One that is to be bound is checked to be bound to the certificate that was presented.
 *
 * Rejects as `readTokenAnswer`, `checkBoundToken` and `signAssertion` do, with
 * `transport_not_available`, and with the code of a failure on the wire.
 */
export async function requestEntraToken(
  endpoint: EntraEndpoint,
  query: EntraQuery,
  route: EntraRoute,
  context: FlightContext,
): Promise<TokenAnswer> {
  const { throttle, clock } = endpoint;
  const answer = await post(endpoint, query, route, context);
  const { mode: { tokenType }, proof: { credential } } = route;
  try {
    const token = readTokenAnswer(answer, tokenType.toLowerCase(), context.correlationId);
    if (tokenType === "mtls_pop" && credential !== undefined) {
      checkBoundToken(token.accessToken, credential.thumbprint, resourceOf(query.scope));
    }
    return token;
  } catch (thrown) {
    const error = wireError(thrown, "token", context);
    throttle.note(query.cacheKey, answer, clock.now(), error);
    throw error;
  }
}

/** The answer, whatever its status. */
async function post(
  endpoint: EntraEndpoint,
  query: EntraQuery,
  route: EntraRoute,
  context: FlightContext,
): Promise<Answer> {
  const { tokenTimeout: timeout, clock, random } = endpoint;
  const { emit, signal } = context;
  const send = sender(endpoint, route);
  try {
    return await exchange(
      async (attempt) => await send(await request(endpoint, query, route, context, attempt)),
      {
        policy: tokenEndpointPolicy,
        timeout,
        clock,
        random,
        signal,
        onRetry: (retry) => emit({ type: "retry", endpoint: "token", ...retry }),
      },
    );
  } catch (error) {
    signal.throwIfAborted();
    throw wireError(error, "token", context);
  }
}

/** With a connection of its own where a certificate goes along, so that nothing re-sends it. */
function sender(
  { transports, fetch, tokenTlsVersion }: EntraEndpoint,
  { mode, proof: { credential } }: EntraRoute,
): (request: Request) => Promise<Response> {
  if (!mode.overMtls) return (request) => fetchPlainly(request, fetch);
  if (credential === undefined) {
    throw new KeyboundError("mtls_certificate_not_provided", "Nothing goes without certificate.");
  }
  const transport = checkKey(credential.key, { attest: false }, transports);
  const options = { connection: "fresh", maxVersion: tokenTlsVersion } as const;
  return (request) => transport.fetch(request, credential, options);
}

async function fetchPlainly(
  request: Request,
  fetch: typeof globalThis.fetch,
): Promise<Response> {
  try {
    return await fetch(request);
  } catch (cause) {
    request.signal.throwIfAborted();
    throw new KeyboundError(
      "network_unreachable",
      "There is no connection to the login host. Check name resolution, proxy and trust.",
      { cause, retryable: true },
    );
  }
}

/** A request for one attempt: an assertion of one's own is a new one each time. */
async function request(
  { clientId, clock, crypto }: EntraEndpoint,
  { scope, claims, fmiPath }: EntraQuery,
  { mode, url, proof }: EntraRoute,
  { correlationId }: FlightContext,
  signal: AbortSignal,
): Promise<Request> {
  const isSelfSigned = mode.assertion === "self_signed" && proof.credential !== undefined;
  const assertion = isSelfSigned
    ? await signAssertion({
      clientId,
      audience: url,
      credential: proof.credential,
      now: clock.now(),
      id: crypto.randomUUID(),
      signal,
    })
    : proof.assertion;
  return entraTokenRequest({
    url,
    clientId,
    scope,
    claims,
    fmiPath,
    assertionKind: mode.assertion,
    assertion,
    isBound: mode.tokenType === "mtls_pop",
    correlationId,
  }, signal);
}
