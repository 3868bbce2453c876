/**
 * One bound token from the token endpoint, over mutual TLS with the binding.
 *
 * @module
 */

import type { Binding } from "../binding/binding.ts";
import type { BindingDependencies, FlightContext, KeyDemands } from "../binding/context.ts";
import { checkKey } from "../binding/key.ts";
import { type Answer, exchange } from "../http.ts";
import { tokenEndpointPolicy } from "../policy/retry.ts";
import type { TlsVersion } from "../transports.ts";
import { wireError } from "../wire_error.ts";
import { checkBoundToken } from "./access_token.ts";
import { boundTokenRequest } from "./request.ts";
import { readTokenAnswer, type TokenAnswer } from "./response.ts";
import type { Throttle } from "./throttle.ts";

/** What requests to the token endpoint need. */
export interface TokenEndpoint
  extends Pick<BindingDependencies, "clock" | "random" | "transports"> {
  /** Requests that the server wants held back. */
  readonly throttle: Throttle;
  /** Milliseconds for one attempt. */
  readonly tokenTimeout: number;
  /** Highest TLS version to offer. */
  readonly tokenTlsVersion: TlsVersion;
}

/** What is asked for. */
export interface TokenQuery extends KeyDemands {
  /** Tells requests apart that ask for the same: the key in the token cache. */
  readonly cacheKey: string;
  /** The resource, without `/.default`. */
  readonly resource: string;
  /** The merged `claims` parameter. */
  readonly claims: string | undefined;
}

/**
 * A token bound to this binding's certificate, checked to be just that.
 *
 * `onAnswer` is called when any answer has arrived: the handshake proved the key then.
 *
 * Rejects as `readTokenAnswer` and `checkBoundToken` do, and with the code of a failure on the
 * wire.
 */
export async function requestToken(
  endpoint: TokenEndpoint,
  query: TokenQuery,
  binding: Binding,
  context: FlightContext,
  onAnswer: () => void,
): Promise<TokenAnswer> {
  const { throttle, clock } = endpoint;
  const answer = await post(endpoint, query, binding, context);
  onAnswer();
  try {
    const token = readTokenAnswer(answer, "mtls_pop", context.correlationId);
    checkBoundToken(token.accessToken, binding.credential.thumbprint, query.resource);
    return token;
  } catch (thrown) {
    const error = wireError(thrown, "token", context);
    throttle.note(query.cacheKey, answer, clock.now(), error);
    throw error;
  }
}

/** The answer, whatever its status. The connection is the request's own, so nothing re-sends it. */
async function post(
  { transports, tokenTimeout, tokenTlsVersion, clock, random }: TokenEndpoint,
  query: TokenQuery,
  { credential, endpoint, clientId }: Binding,
  context: FlightContext,
): Promise<Answer> {
  const { correlationId, emit, signal } = context;
  const transport = checkKey(credential.key, query, transports);
  const parameters = { ...query, endpoint, clientId, correlationId };
  const options = { connection: "fresh", maxVersion: tokenTlsVersion } as const;
  try {
    return await exchange(
      (attempt) => transport.fetch(boundTokenRequest(parameters, attempt), credential, options),
      {
        policy: tokenEndpointPolicy,
        timeout: tokenTimeout,
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
