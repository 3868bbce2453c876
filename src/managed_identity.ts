/**
 * The managed identity of an Azure host, with tokens bound to a key of this host.
 *
 * @module
 */

import type { Attestor } from "./attestation.ts";
import { BindingCache } from "./binding/cache.ts";
import { BoundFetch, boundRequest } from "./bound_fetch.ts";
import { systemClock } from "./clock.ts";
import { KeyboundError } from "./errors.ts";
import { emitOutcome, emitter, type EventListener } from "./events.ts";
import { certificateAlias, type Identity, resolveIdentity } from "./identity.ts";
import { metadataBase } from "./imds/endpoint.ts";
import type { AcquisitionContext } from "./imds/request.ts";
import type {
  BoundRequestInit,
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
  return new BoundIdentity(options);
}

class BoundIdentity implements ManagedIdentity {
  readonly #capabilities: readonly string[];
  readonly #attestor: Attestor | undefined;
  readonly #identity: Identity;
  readonly #dependencies: TokenDependencies;
  readonly #flights = new SingleFlight<TokenResult>();
  readonly #listener: EventListener | undefined;
  #closed = false;

  constructor(options: ManagedIdentityOptions) {
    const identity = resolveIdentity(options);
    this.#capabilities = options.clientCapabilities ?? [];
    this.#attestor = options.attestor;
    this.#listener = options.onEvent;
    this.#identity = identity;
    const { clock = systemClock(), crypto = globalThis.crypto, random = Math.random } = options;
    const { metadataTimeout = 10_000, tokenTimeout = 30_000 } = options;
    const { probeInterval = PROBE_INTERVAL, remintCooldown = REMINT_COOLDOWN } = options;
    const { tokenCacheSize = 10_000 } = options;
    assertPositive({
      metadataTimeout,
      tokenTimeout,
      probeInterval,
      remintCooldown,
      tokenCacheSize,
    });
    const tokens = new TokenCache(tokenCacheSize);
    const retire = (thumbprint: string) => {
      for (const transport of options.transports) transport.retire(thumbprint);
    };
    this.#dependencies = {
      base: metadataBase(options.environment ?? {}),
      fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
      clock,
      random,
      metadataTimeout,
      identity,
      crypto,
      choice: {
        keys: options.keys,
        keyId: options.keyId ?? "keybound",
        algorithm: options.keyAlgorithm ?? "RSA-2048",
      },
      store: options.store,
      transports: options.transports,
      cache: new BindingCache(),
      flights: new SingleFlight(),
      keyFlights: new SingleFlight(),
      probeInterval,
      remintCooldown,
      begin: (alias, correlationId) => this.#begin(alias, correlationId),
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
  }

  getToken(options: TokenOptions): Promise<TokenResult> {
    try {
      return this.#token(options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Not async: a hit costs no promise but the cached one. */
  #token(options: TokenOptions): Promise<TokenResult> {
    const { tokens, clock } = this.#dependencies;
    if (this.#closed) throw closedError();
    options.signal?.throwIfAborted();
    const resource = normalizeResource(options.resource);
    const cacheKey = tokenCacheKey(resource, options);
    if (options.claims !== undefined) return this.#acquire("claims", cacheKey, resource, options);
    if (options.forceRefresh === true) return this.#acquire("force", cacheKey, resource, options);
    const hit = tokens.get(cacheKey, clock.now());
    if (this.#listener !== undefined) {
      const alias = this.#alias(options.attest ?? false);
      const outcome = hit === undefined ? "miss" : "hit";
      this.#begin(alias, options.correlationId).emit({ type: "cache", outcome });
    }
    if (hit === undefined) return this.#acquire("miss", cacheKey, resource, options);
    if (hit.refreshDue) {
      // In the background, so it ends with nobody's signal and goes by an id of its own.
      const { signal: _signal, correlationId: _id, ...rest } = options;
      this.#acquire("refresh", cacheKey, resource, rest);
    }
    return hit.promise;
  }

  /** The same question asked at the same time is asked once. */
  #acquire(
    kind: "miss" | "claims" | "force" | "refresh",
    cacheKey: string,
    resource: string,
    options: TokenOptions,
  ): Promise<TokenResult> {
    const request = this.#request(cacheKey, resource, options);
    const context = this.#begin(request.alias, options.correlationId);
    const acquired = this.#flights.run(
      `${kind}\n${options.claims ?? ""}\n${cacheKey}`,
      (signal) => acquireToken(this.#dependencies, request, { ...context, signal }),
      options.signal,
    );
    if (kind === "refresh") emitOutcome(context.emit, kind, acquired);
    return acquired;
  }

  #request(cacheKey: string, resource: string, options: TokenOptions): TokenRequest {
    const { attest = false, minStrength, claims, clientClaims } = options;
    if (attest && this.#attestor === undefined) {
      throw new KeyboundError(
        "attestation_failed",
        "'attest' needs an 'attestor'.",
      );
    }
    return {
      cacheKey,
      resource,
      claims: mergeClaims(this.#capabilities, clientClaims, claims),
      alias: this.#alias(attest),
      attest,
      attestor: attest ? this.#attestor : undefined,
      minStrength,
    };
  }

  #alias(attested: boolean): string {
    return certificateAlias(this.#identity, attested);
  }

  /** Starts an acquisition: one correlation id for all its requests and events. */
  #begin(alias: string, correlationId?: string): AcquisitionContext {
    const { crypto, clock } = this.#dependencies;
    const id = correlationId ?? crypto.randomUUID();
    if (!/^[\w-]{1,64}$/.test(id)) {
      throw new KeyboundError("invalid_argument", "'correlationId' must be a UUID.");
    }
    const emit = emitter(this.#listener, () => clock.now(), id, alias);
    return { correlationId: id, emit };
  }

  async fetch(input: string | URL | Request, init: BoundRequestInit): Promise<Response> {
    const { resource, attest, minStrength, clientClaims, forceRefresh, ...others } = init;
    const { correlationId = this.#dependencies.crypto.randomUUID(), ...rest } = others;
    const [request, again] = boundRequest(input, rest);
    const { signal } = request;
    const demands = { attest, minStrength, clientClaims, correlationId };
    const options = { resource, forceRefresh, signal, ...demands };
    const bound = new BoundFetch({
      correlationId,
      dependencies: this.#dependencies,
      request: this.#request("", normalizeResource(resource), options),
      getToken: (claims) => this.getToken({ ...options, claims }),
    });
    return await bound.send(request, again);
  }

  close(): Promise<void> {
    this.#closed = true;
    const { flights, keyFlights } = this.#dependencies;
    this.#flights.abortAll(closedError());
    flights.abortAll(closedError());
    keyFlights.abortAll(closedError());
    return Promise.resolve();
  }
}

/** Everything that one identity's tokens differ by. Only the last part may hold a line feed. */
function tokenCacheKey(
  resource: string,
  { attest, minStrength, clientClaims }: TokenOptions,
): string {
  return `${resource}\n${attest === true ? 1 : 0}\n${minStrength ?? ""}\n${clientClaims ?? ""}`;
}

function assertPositive(values: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(values)) {
    if (Number.isFinite(value) && value > 0) continue;
    throw new KeyboundError("invalid_argument", `'${name}' must be a positive number.`);
  }
}

function closedError(): KeyboundError {
  return new KeyboundError("closed", "This identity has been closed. Make a new one.");
}
