/**
 * A request to a resource server with a confidential client's token: bound ones with their
 * certificate, as one pair.
 *
 * @module
 */

import type { FlightContext } from "../binding/context.ts";
import { checkKey } from "../binding/key.ts";
import { isAlive } from "../binding/probe.ts";
import { authorize, type BoundRequest } from "../bound_fetch.ts";
import type { Clock } from "../clock.ts";
import type { ClientCredential } from "../credential.ts";
import { KeyboundError } from "../errors.ts";
import { claimsChallenge } from "../token/challenge.ts";
import type { MtlsTransport } from "../transports.ts";
import { wireError } from "../wire_error.ts";
import { refusalCause } from "./acquire.ts";
import type { EntraToken } from "./options.ts";

/** What a fetch needs of the client. */
export interface EntraFetchOptions {
  /** Transports, best first. */
  readonly transports: readonly MtlsTransport[];
  /** Plain fetch, for bearer tokens. */
  readonly fetch: typeof globalThis.fetch;
  /** Verification. */
  readonly crypto: Crypto;
  /** Time. */
  readonly clock: Clock;
  /** The caller's own signal. */
  readonly callerSignal: AbortSignal | undefined;
  /** The acquisition that the request belongs to. */
  readonly context: FlightContext;
  /** A token; a new one where claims are given. */
  readonly getToken: (claims?: string) => Promise<EntraToken>;
  /** Whether a credential whose key is dead has a successor; its tokens are gone then. */
  readonly replace: (dead: ClientCredential) => Promise<boolean>;
}

/**
 * The resource server's answer. A claims challenge or a dead key is dealt with once, where the
 * request can be made anew.
 *
 * Rejects as `getToken` does, with the code of a failure on the wire, or the request signal's
 * reason.
 */
export async function entraFetch(
  [request, again]: BoundRequest,
  options: EntraFetchOptions,
): Promise<Response> {
  const { getToken, replace } = options;
  const token = await getToken();
  let response: Response;
  try {
    response = await attempt(request, token, options);
  } catch (error) {
    if (!await isKeyDead(error, token, options)) throw error;
    const isReplaced = await replace(token.binding!.credential);
    if (again === undefined || !isReplaced) throw error;
    return await attempt(again(), await getToken(), options);
  }
  const claims = response.status === 401
    ? claimsChallenge(response.headers.get("www-authenticate"))
    : undefined;
  if (claims === undefined || again === undefined) return response;
  response.body?.cancel().catch(() => {});
  return await attempt(again(), await getToken(claims), options);
}

async function attempt(
  request: Request,
  token: EntraToken,
  options: EntraFetchOptions,
): Promise<Response> {
  if (token.tokenType === "Bearer") return await fetchPlainly(request, token, options);
  const { transports, context } = options;
  authorize(request, token);
  try {
    const { credential } = token.binding;
    const transport = checkKey(credential.key, { attest: false }, transports);
    return await transport.fetch(request, credential);
  } catch (error) {
    request.signal.throwIfAborted();
    throw wireError(error, "resource", context);
  }
}

async function fetchPlainly(
  request: Request,
  { accessToken }: EntraToken,
  { fetch, callerSignal, context: { correlationId } }: EntraFetchOptions,
): Promise<Response> {
  request.headers.set("Authorization", `Bearer ${accessToken}`);
  try {
    // On Node, the body would stop following the request's own signal once the request is garbage.
    return await fetch(request, callerSignal && { signal: callerSignal });
  } catch {
    request.signal.throwIfAborted();
    // Without its cause: the runtime's error may quote the URL, which may hold a secret.
    throw new KeyboundError(
      "network_unreachable",
      "The resource server can't be reached or isn't trusted by this runtime.",
      { retryable: true, correlationId, source: "Resource" },
    );
  }
}

/** Whether a bound request failed because its key doesn't sign any more. */
async function isKeyDead(
  error: unknown,
  { binding }: EntraToken,
  { crypto, clock, context }: EntraFetchOptions,
): Promise<boolean> {
  const cause = refusalCause(error);
  if (binding === undefined || cause === undefined) return false;
  const { key } = binding.credential;
  return cause === "key_dead" || !await isAlive(key, "suspect", { crypto, clock }, context);
}
