/**
 * The managed identity of an Azure host, with tokens bound to a key of this host.
 *
 * @module
 */

import { BindingCache } from "./binding/cache.ts";
import type { Obtained } from "./binding/context.ts";
import { healBinding } from "./binding/heal.ts";
import { boundFetch, boundRequest } from "./bound_fetch.ts";
import { systemClock } from "./clock.ts";
import { KeyboundError } from "./errors.ts";
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
import { mergeClaims } from "./token/claims.ts";
import { normalizeResource } from "./token/request.ts";
import type { BindingWish, BoundToken, TokenResult } from "./token/result.ts";
import { Throttle } from "./token/throttle.ts";
import { Tokens, type TokenWay } from "./token/tokens.ts";

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

  const tokens = new Tokens<TokenResult<"preferred">>(tokenCacheSize, { clock, crypto, onEvent });
  const flights = new SingleFlight<Obtained | undefined>();
  const keyFlights = new SingleFlight<SigningKey>();
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
    begin: tokens.begin,
    onEvict: ({ credential: { thumbprint } }) => {
      retire(thumbprint);
      return tokens.cache.evict(thumbprint);
    },
    onRotate: ({ credential: { thumbprint } }) => {
      retire(thumbprint);
      tokens.cache.expedite(thumbprint);
    },
    tokens: tokens.cache,
    throttle: new Throttle(),
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

  const bound: TokenWay<TokenOptions, BoundToken> = {
    cacheKey: tokenCacheKey,
    alias: ({ attest = false }) => certificateAlias(identity, attest),
    acquirer(asked, cacheKey) {
      const request = requestOf(cacheKey, normalizeResource(asked.resource), asked);
      return async (context) => {
        await side?.admit(request, context);
        return await acquireToken(dependencies, request, context);
      };
    },
  };

  const own: ManagedIdentity = {
    getToken<Wish extends BindingWish>(asked: TokenOptions<Wish>): Promise<TokenResult<Wish>> {
      try {
        return tokens.get(bound, asked) as Promise<TokenResult<Wish>>;
      } catch (error) {
        return Promise.reject(error);
      }
    },
    async fetch(input, init) {
      const made = boundRequest(input, init);
      const [{ signal }] = made;
      const { correlationId = crypto.randomUUID() } = init;
      const asked = { ...init, signal, correlationId };
      return await boundFetch(made, {
        dependencies,
        correlationId,
        demands: requestOf("", normalizeResource(init.resource), asked),
        getToken: async (claims) => await tokens.get(bound, { ...asked, claims }),
      });
    },
    // deno-lint-ignore require-await
    async capabilities() {
      throw bearerMissing();
    },
    async heal(failed, cause, { correlationId, signal, ...demands }) {
      const request = requestOf("", "", { ...demands, resource: "" });
      const context = { ...tokens.begin(request.alias, correlationId), signal };
      return await healBinding(dependencies, request, failed, cause, context) !== undefined;
    },
    close() {
      const reason = new KeyboundError("closed", "This identity has been closed. Make a new one.");
      for (const each of [tokens, flights, keyFlights]) each.abortAll(reason);
      return Promise.resolve();
    },
  };
  const side = options.bearer?.attach({ options, dependencies, tokens, bound, own });
  return side?.identity ?? own;
}

function bearerMissing(): KeyboundError {
  return new KeyboundError("invalid_argument", "Not without 'bearer': see keybound/sources.");
}

/**
 * Everything that one identity's tokens differ by. Mostly the resource alone: a text that the caller
 * has is found at once, a new one must be hashed. Only the last part may hold a line feed.
 */
function tokenCacheKey(asked: TokenOptions): string {
  const { binding = "mtls_pop", resource, attest, minStrength, clientClaims } = asked;
  if (binding !== "mtls_pop") throw bearerMissing();
  const bare = normalizeResource(resource);
  if (attest !== true && minStrength === undefined && clientClaims === undefined) return bare;
  return [bare, attest === true, minStrength, clientClaims].join("\n");
}
