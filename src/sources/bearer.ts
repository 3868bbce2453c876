/**
 * The bearer side of a managed identity: tokens bound to nothing, tokens bound where that can be
 * had, and what the host can do.
 *
 * @module
 */

import type { BearerSide, BearerSupport, IdentityParts } from "../managed_identity_options.ts";
import { openKey } from "../binding/key.ts";
import { KeyboundError } from "../errors.ts";
import type { KeyStrength } from "../keys.ts";
import type { ManagedIdentity, TokenOptions } from "../managed_identity_options.ts";
import type { TokenResult } from "../token/result.ts";
import type { TokenWay } from "../token/tokens.ts";
import { bearerCacheKey, bearerWay } from "./bearer_way.ts";
import { bearerFetch } from "./bearer_fetch.ts";
import { NEGATIVE_LIFE } from "./capabilities.ts";
import { managedIdentitySources } from "./host_sources.ts";
import { IMDS_LIMITS, RequestLimiter } from "./limiter.ts";
import { boundRefusal, isUnsupported } from "./refusal.ts";
import type { HostAccess, ManagedIdentitySources } from "./source.ts";

/** Options of {@linkcode bearerTokens}: one of `host` and `sources`. */
export interface BearerTokensOptions {
  /** Files and pinned TLS, to find the host's source and ask it: `hostAccess()`. */
  host?: HostAccess;
  /** Where tokens come from, in place of what the host has: `azureCli()`. */
  sources?: ManagedIdentitySources;
  /** Whether requests to the host's source that fail for a passing reason are repeated. @default true */
  retries?: boolean;
}

/**
 * Bearer tokens for {@linkcode managedIdentity}, from whichever source the host has. Throws
 * `invalid_argument` for options that name none or two.
 *
 * @example
 * ```ts
 * const identity = managedIdentity({ ...host, bearer: bearerTokens({ host: hostAccess() }) });
 * const { accessToken } = await identity.getToken({ resource, binding: "bearer" });
 * ```
 */
export function bearerTokens(options: BearerTokensOptions): BearerSupport {
  const { host, sources, retries } = options;
  if ((host === undefined) === (sources === undefined)) {
    throw new KeyboundError("invalid_argument", "Give one of 'host' and 'sources'.");
  }
  // One for all identities of this host, whose limits they share.
  let limiter: RequestLimiter | undefined;
  return {
    attach(parts) {
      if (sources !== undefined) return attach(parts, sources);
      limiter ??= new RequestLimiter(IMDS_LIMITS, parts.dependencies.clock);
      return attach(parts, sourcesOf(parts, host!, retries, limiter));
    },
  };
}

/** The sources of this host, by the identity's own means. */
function sourcesOf(
  { dependencies, options }: IdentityParts,
  host: HostAccess,
  retries: boolean | undefined,
  limiter: RequestLimiter,
): ManagedIdentitySources {
  const { clock, crypto, fetch, random, metadataTimeout: timeout } = dependencies;
  return managedIdentitySources({
    environment: options.environment ?? {},
    host,
    limiter,
    clock,
    crypto,
    fetch,
    random,
    timeout,
    keyStrength: () => keyStrength(dependencies),
    ...(retries === undefined ? {} : { retries }),
  });
}

/** How strong this host's keys are, as their provider or the key there is says; none is made. */
async function keyStrength({ choice }: IdentityParts["dependencies"]): Promise<KeyStrength> {
  return choice.keys.strength ?? (await openKey(choice, undefined))?.strength ?? "software";
}

function attach(parts: IdentityParts, sources: ManagedIdentitySources): BearerSide {
  const { bound, dependencies: { clock, crypto, identity }, own, tokens } = parts;
  const bearer = bearerWay(parts, sources);
  /** When it was last seen that this host can't bind tokens; not since one was bound. */
  let unsupportedSince: number | undefined;

  /** A bound token, `undefined` on a host that has none: believed for a minute, then tried again. */
  const boundIfAny = async (asked: TokenOptions): Promise<TokenResult<"preferred"> | undefined> => {
    const age = clock.now() - (unsupportedSince ?? -Infinity);
    if (age >= 0 && age < NEGATIVE_LIFE) return undefined;
    try {
      const token = await tokens.acquire(bound, { ...asked, binding: undefined });
      unsupportedSince = undefined;
      return token;
    } catch (error) {
      if (!isUnsupported(error)) throw error;
      unsupportedSince = clock.now();
      return undefined;
    }
  };
  /** The way to bearer tokens in place of bound ones, which a refresh in the background tries first. */
  const standIn: TokenWay<TokenOptions, TokenResult<"preferred">> = {
    ...bearer,
    acquirer(asked, cacheKey) {
      const acquire = bearer.acquirer(asked, cacheKey);
      return async (context) =>
        await boundIfAny({ ...asked, ...context }) ?? await acquire(context);
    },
  };
  /** Bound where the host can; whether it can is tried again once a minute, when a token is due. */
  const preferred = (asked: TokenOptions): Promise<TokenResult<"preferred">> => {
    bearerCacheKey(asked);
    const hit = tokens.cached(bound, { ...asked, binding: undefined });
    // Where a token can be bound, a bearer token is in memory for those who asked for just that.
    const either = hit ??
      (unsupportedSince === undefined ? undefined : tokens.cached(standIn, asked));
    return either ?? acquireEither(asked);
  };
  const acquireEither = async (asked: TokenOptions): Promise<TokenResult<"preferred">> => {
    const { correlationId = crypto.randomUUID() } = asked;
    const alike = { ...asked, correlationId };
    // Not by `standIn`: who asks for a bearer token at the same time shares that flight.
    return await boundIfAny(alike) ?? await tokens.get(bearer, alike);
  };

  const getToken = (asked: TokenOptions): Promise<TokenResult<"preferred">> => {
    try {
      const { binding = "mtls_pop" } = asked;
      if (binding === "bearer") return tokens.get(bearer, asked);
      assertNoParameters(asked);
      if (binding === "mtls_pop") return own.getToken(asked as TokenOptions<"mtls_pop">);
      if (binding === "preferred") return preferred(asked);
      throw new KeyboundError(
        "invalid_argument",
        "'binding' must be 'mtls_pop', 'bearer' or 'preferred'.",
      );
    } catch (error) {
      return Promise.reject(error);
    }
  };

  const fetchWithToken = bearerFetch(parts, getToken);

  return {
    async admit({ minStrength }, { correlationId }) {
      const known = await sources.known();
      const refusal = known && boundRefusal(known, minStrength, correlationId);
      if (refusal !== undefined) throw refusal;
    },
    identity: {
      getToken: getToken as ManagedIdentity["getToken"],
      async fetch(input, init) {
        if (init.binding !== "bearer") assertNoParameters(init);
        return await fetchWithToken(input, init);
      },
      async capabilities(options) {
        tokens.assertOpen();
        return await sources.capabilities({ ...options, identity });
      },
      ...(own.heal && { heal: own.heal }),
      close: () => own.close(),
    },
  };
}

function assertNoParameters(
  { extraQueryParameters }: Pick<TokenOptions, "extraQueryParameters">,
): void {
  if (extraQueryParameters === undefined) return;
  throw new KeyboundError(
    "invalid_argument",
    "'extraQueryParameters' are for the sources of bearer tokens. Ask for 'bearer', or leave them out.",
  );
}
