/**
 * One request to an authorization server, over mutual TLS: bounded in time and size, never
 * redirected, never without the certificate.
 *
 * @module
 */

import type { FlightContext } from "../binding/context.ts";
import type { Clock } from "../clock.ts";
import type { ClientCredential } from "../credential.ts";
import type { EndpointName } from "../events.ts";
import { type Answer, exchange } from "../http.ts";
import { tokenEndpointPolicy } from "../policy/retry.ts";
import type { MtlsTransport, TlsVersion } from "../transports.ts";
import { wireError } from "../wire_error.ts";

/** How the server is reached. */
export interface ServerLink {
  /** Does the TLS. */
  readonly transport: MtlsTransport;
  /** Shown to the server. */
  readonly credential: ClientCredential;
  /** Time. */
  readonly clock: Clock;
  /** Randomness in [0, 1). */
  readonly random: () => number;
  /** Milliseconds for one attempt. */
  readonly timeout: number;
  /** Highest TLS version to offer. */
  readonly tlsVersion: TlsVersion;
}

/** Endpoints of an authorization server, as events name them. */
export type ServerEndpointName = Extract<EndpointName, "discovery" | "introspection" | "token">;

/** Those endpoints, as errors name them. */
export const SOURCES: Readonly<Record<ServerEndpointName, string>> = {
  discovery: "Discovery",
  introspection: "IntrospectionEndpoint",
  token: "TokenEndpoint",
};

/**
 * The answer, whatever its status. `make` is called once an attempt, since a body is sent once; the
 * connection is the request's own, so nothing re-sends it.
 *
 * Rejects with the code of a failure on the wire, `request_timeout`, `response_too_large`,
 * `redirect_refused`, or the signal's reason.
 */
export async function askServer(
  link: ServerLink,
  endpoint: ServerEndpointName,
  make: (signal: AbortSignal) => Request,
  context: FlightContext,
): Promise<Answer> {
  const { transport, credential, tlsVersion: maxVersion, timeout, clock, random } = link;
  const { emit, signal } = context;
  const options = { connection: "fresh", maxVersion } as const;
  try {
    return await exchange((attempt) => transport.fetch(make(attempt), credential, options), {
      policy: tokenEndpointPolicy,
      timeout,
      clock,
      random,
      signal,
      onRetry: (retry) => emit({ type: "retry", endpoint, ...retry }),
    });
  } catch (error) {
    signal.throwIfAborted();
    throw wireError(error, endpoint, context, SOURCES[endpoint]);
  }
}
