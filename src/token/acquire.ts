/**
 * The way to a bound token: binding, token request, one healing (design: section 3).
 *
 * @module
 */

import type { Binding } from "../binding/binding.ts";
import type { BindingDependencies, BindingRequest, FlightContext } from "../binding/context.ts";
import { healBinding } from "../binding/heal.ts";
import { obtainBinding } from "../binding/obtain.ts";
import { KeyboundError } from "../errors.ts";
import { healCause } from "../policy/healing.ts";
import { minimumLifeLeft } from "../policy/renewal.ts";
import { EXPIRY_MARGIN, jitteredRefresh, refreshTime } from "../policy/token_life.ts";
import type { TokenCache } from "./cache.ts";
import { requestToken, type TokenEndpoint, type TokenQuery } from "./endpoint.ts";
import type { TokenAnswer } from "./response.ts";
import type { BoundToken } from "./result.ts";

/** What acquisitions share. */
export interface TokenDependencies extends BindingDependencies, TokenEndpoint {
  /** Tokens so far. */
  readonly tokens: Pick<TokenCache<BoundToken>, "ask" | "set">;
}

/** One token wanted. */
export type TokenRequest = BindingRequest & TokenQuery;

/**
 * A token from the token endpoint; also kept in the cache.
 *
 * Rejects as `obtainBinding`, `requestToken` and `healBinding` do.
 */
export async function acquireToken(
  dependencies: TokenDependencies,
  request: TokenRequest,
  context: FlightContext,
): Promise<BoundToken> {
  const { throttle, clock } = dependencies;
  const start = clock.now();
  throttle.check(request.cacheKey, start);
  const { binding, reminted } = await obtainBinding(dependencies, request, context);
  let result: BoundToken;
  try {
    result = await tokenFor(dependencies, request, binding, context);
  } catch (error) {
    const cause = error instanceof KeyboundError ? healCause(error.code) : undefined;
    if (cause === undefined || reminted) throw error;
    const healed = await healBinding(dependencies, request, binding, cause, context);
    if (healed === undefined) throw error;
    result = await tokenFor(dependencies, request, healed.binding, context);
  }
  context.emit({ type: "token", duration: clock.now() - start, expiresOn: result.expiresOn });
  return result;
}

async function tokenFor(
  dependencies: TokenDependencies,
  request: TokenRequest,
  binding: Binding,
  context: FlightContext,
): Promise<BoundToken> {
  const { cache, tokens, clock, random } = dependencies;
  const asked = tokens.ask();
  const answer = await requestToken(dependencies, request, binding, context, () => {
    cache.proved(request.alias, binding, clock.now());
  });
  const now = clock.now();
  const result = tokenResult(answer, binding, now, context.correlationId);
  const { expiresOn, refreshOn } = result;
  const { leaf } = binding.credential;
  const staleAt = Math.min(expiresOn - EXPIRY_MARGIN, leaf.notAfter - minimumLifeLeft(leaf));
  const refreshAt = refreshOn === undefined ? Infinity : jitteredRefresh(refreshOn, now, random());
  // A binding evicted meanwhile must not leave a token behind (healing rule 8).
  const isCurrent = cache.provedAt(request.alias, binding) !== undefined;
  if (isCurrent && now < staleAt) {
    tokens.set(request.cacheKey, result, asked, { receivedOn: now, staleAt, refreshAt });
  }
  return result;
}

function tokenResult(
  { accessToken, expiresIn, refreshIn }: TokenAnswer,
  binding: Binding,
  now: number,
  correlationId: string,
): BoundToken {
  const refreshOn = refreshTime({
    receivedOn: now,
    expiresIn: expiresIn * 1000,
    refreshIn: refreshIn && refreshIn * 1000,
  });
  return Object.freeze({
    accessToken,
    tokenType: "mtls_pop",
    expiresOn: now + expiresIn * 1000,
    ...(refreshOn === undefined ? {} : { refreshOn }),
    binding,
    source: "Imds",
    fromCache: false,
    correlationId,
  });
}
