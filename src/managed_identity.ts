/**
 * The managed identity of an Azure host, with tokens bound to a key of this host.
 *
 * @module
 */

import { BindingCache } from "./binding/cache.ts";
import type { Obtained } from "./binding/context.ts";
import { boundFetch, boundRequest } from "./bound_fetch.ts";
import { systemClock } from "./clock.ts";
import { KeyboundError } from "./errors.ts";
import { emitOutcome, emitter } from "./events.ts";
import { certificateAlias, resolveIdentity } from "./identity.ts";
import { metadataBase } from "./imds/endpoint.ts";
import type { SigningKey } from "./keys.ts";
import type {
  ManagedIdentity,
  ManagedIdentityOptions,
  TokenOptions,
} from "./managed_identity_options.ts";
import { PROBE_INTERVAL, REMINT_COOLDOWN } from "./policy/healing.ts";
import { SingleFlight } from "./single_flight.ts";
import { acquireToken, type TokenDependencies, type TokenRequest } from "./token/acquire.ts";
import { TokenCache, type TokenResult } from "./token/cache.ts";
import { mergeClaims } from "./token/claims.ts";
import { normalizeResource } from "./token/request.ts";

/**
 * The managed identity of this host: its own, or a user-assigned one by `clientId`, `resourceId` or
 * `objectId`.
 *
 * Throws `invalid_argument` or `invalid_managed_identity_endpoint` for options that can't be right.
 *
 * @example
 * ```ts
 * import { managedIdentity } from "keybound";
 * import { detect } from "keybound/detect";
 *
 * const identity = managedIdentity(await detect());
 * const response = await identity.fetch("https://my-vault.vault.azure.net/secrets/s?api-version=7.4", {
 *   resource: "https://vault.azure.net",
 * });
 * ```
 */
export function managedIdentity(options: ManagedIdentityOptions): ManagedIdentity {
  const identity = resolveIdentity(options);
  const { attestor, clientCapabilities = [], onEvent, tokenCacheSize = 10_000 } = options;
  const { clock = systemClock(), crypto = globalThis.crypto, random = Math.random } = options;
  const { metadataTimeout = 10_000, tokenTimeout = 30_000 } = options;
  const { probeInterval = PROBE_INTERVAL, remintCooldown = REMINT_COOLDOWN } = options;
  const numbers = { metadataTimeout, tokenTimeout, probeInterval, remintCooldown, tokenCacheSize };
  for (const [name, value] of Object.entries(numbers)) {
    if (Number.isFinite(value) && value > 0) continue;
    throw new KeyboundError("invalid_argument", `'${name}' must be a positive number.`);
  }

  const tokens = new TokenCache(tokenCacheSize);
  const tokenFlights = new SingleFlight<TokenResult>();
  const flights = new SingleFlight<Obtained | undefined>();
  const keyFlights = new SingleFlight<SigningKey>();
  let isClosed = false;

  /** Starts an acquisition: one correlation id for all its requests and events. */
  const begin = (alias: string, correlationId: string = crypto.randomUUID()) => {
    if (!/^[\w-]{1,64}$/.test(correlationId)) {
      throw new KeyboundError("invalid_argument", "'correlationId' must be a UUID.");
    }
    const emit = emitter(onEvent, () => clock.now(), correlationId, alias);
    return { correlationId, emit };
  };
  const retire = (thumbprint: string) => {
    for (const transport of options.transports) transport.retire(thumbprint);
  };
  const dependencies: TokenDependencies = {
    base: metadataBase(options.environment ?? {}),
    fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
    clock,
    random,
    crypto,
    identity,
    metadataTimeout,
    choice: {
      keys: options.keys,
      keyId: options.keyId ?? "keybound",
      algorithm: options.keyAlgorithm ?? "RSA-2048",
    },
    store: options.store,
    transports: options.transports,
    cache: new BindingCache(),
    flights,
    keyFlights,
    probeInterval,
    remintCooldown,
    begin,
    onEvict: ({ credential: { thumbprint } }) => {
      retire(thumbprint);
      return tokens.evict(thumbprint);
    },
    onRotate: ({ credential: { thumbprint } }) => {
      retire(thumbprint);
      tokens.expedite(thumbprint);
    },
    tokens,
    throttle: new Map(),
    tokenTimeout,
    tokenTlsVersion: options.tokenTlsVersion ?? "TLSv1.2",
  };

  const requestOf = (cacheKey: string, resource: string, asked: TokenOptions): TokenRequest => {
    const { attest = false, minStrength, claims, clientClaims } = asked;
    if (attest && attestor === undefined) {
      throw new KeyboundError("attestation_failed", "'attest' needs an 'attestor'.");
    }
    return {
      cacheKey,
      resource,
      claims: mergeClaims(clientCapabilities, clientClaims, claims),
      alias: certificateAlias(identity, attest),
      attest,
      attestor: attest ? attestor : undefined,
      minStrength,
    };
  };

  /** The same question asked at the same time is asked once. */
  const acquire = (
    kind: "miss" | "claims" | "force" | "refresh",
    cacheKey: string,
    resource: string,
    asked: TokenOptions,
  ): Promise<TokenResult> => {
    const request = requestOf(cacheKey, resource, asked);
    const context = begin(request.alias, asked.correlationId);
    const acquired = tokenFlights.run(
      `${kind}\n${asked.claims ?? ""}\n${cacheKey}`,
      (signal) => acquireToken(dependencies, request, { ...context, signal }),
      asked.signal,
    );
    if (kind === "refresh") emitOutcome(context.emit, kind, acquired);
    return acquired;
  };

  /** Not async: a hit costs no promise but the cached one. */
  const tokenOf = (asked: TokenOptions): Promise<TokenResult> => {
    if (isClosed) throw closedError();
    const { attest = false, claims, correlationId, forceRefresh, signal, ...rest } = asked;
    signal?.throwIfAborted();
    const resource = normalizeResource(asked.resource);
    const cacheKey = tokenCacheKey(resource, asked);
    if (claims !== undefined) return acquire("claims", cacheKey, resource, asked);
    if (forceRefresh === true) return acquire("force", cacheKey, resource, asked);
    const hit = tokens.get(cacheKey, clock.now());
    if (onEvent !== undefined) {
      const { emit } = begin(certificateAlias(identity, attest), correlationId);
      emit({ type: "cache", outcome: hit === undefined ? "miss" : "hit" });
    }
    if (hit === undefined) return acquire("miss", cacheKey, resource, asked);
    // In the background, so it ends with nobody's signal and goes by an id of its own.
    if (hit.refreshDue) acquire("refresh", cacheKey, resource, { ...rest, attest });
    return hit.promise;
  };

  const getToken = (asked: TokenOptions): Promise<TokenResult> => {
    try {
      return tokenOf(asked);
    } catch (error) {
      return Promise.reject(error);
    }
  };

  return {
    getToken,
    async fetch(input, init) {
      const { resource, attest, minStrength, clientClaims, forceRefresh, ...others } = init;
      const { correlationId = crypto.randomUUID(), ...rest } = others;
      const made = boundRequest(input, rest);
      const [{ signal }] = made;
      const demanded = { attest, minStrength, clientClaims, correlationId };
      const asked = { resource, forceRefresh, signal, ...demanded };
      return await boundFetch(made, {
        dependencies,
        correlationId,
        demands: requestOf("", normalizeResource(resource), asked),
        getToken: (claims) => getToken({ ...asked, claims }),
      });
    },
    close() {
      isClosed = true;
      for (const each of [tokenFlights, flights, keyFlights]) each.abortAll(closedError());
      return Promise.resolve();
    },
  };
}

/** Everything that one identity's tokens differ by. Only the last part may hold a line feed. */
function tokenCacheKey(
  resource: string,
  { attest, minStrength, clientClaims }: TokenOptions,
): string {
  return `${resource}\n${attest === true ? 1 : 0}\n${minStrength ?? ""}\n${clientClaims ?? ""}`;
}

function closedError(): KeyboundError {
  return new KeyboundError("closed", "This identity has been closed. Make a new one.");
}
