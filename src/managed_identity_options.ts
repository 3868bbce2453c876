/**
 * What a managed identity is made of and asked with.
 *
 * @module
 */

import type { Attestor } from "./attestation.ts";
import type { Binding } from "./binding/binding.ts";
import type { FlightContext } from "./binding/context.ts";
import type { Clock } from "./clock.ts";
import type { EventListener } from "./events.ts";
import type { ManagedIdentityId } from "./identity.ts";
import type { KeyAlgorithm, KeyProvider, KeyStrength } from "./keys.ts";
import type { HealCause } from "./policy/healing.ts";
import type { CertStore } from "./stores.ts";
import type { Capabilities, CapabilitiesOptions } from "./sources/source.ts";
import type { TokenDependencies, TokenRequest } from "./token/acquire.ts";
import type { BindingWish, BoundToken, TokenResult } from "./token/result.ts";
import type { Tokens, TokenWay } from "./token/tokens.ts";
import type { MtlsTransport, TlsVersion } from "./transports.ts";

/** The backends of a host: what `detect()` gives. */
export interface Host {
  /** Where private keys come from. */
  keys: KeyProvider;
  /** Where certificates are kept. */
  store: CertStore;
  /** How TLS with such keys is done, best first. */
  transports: readonly MtlsTransport[];
  /** Environment variables by name. @default {} */
  environment?: Readonly<Record<string, string | undefined>>;
  /**
   * Bearer tokens and what the host can do: `bearerTokens` of `keybound/sources`. Not part of the
   * core, so that who wants bound tokens only doesn't carry it.
   * @default none: `binding` can't be anything but `mtls_pop`
   */
  bearer?: BearerSupport;
  /** Plain fetch, for the metadata service. @default globalThis.fetch */
  fetch?: typeof globalThis.fetch;
}

/** Options of {@linkcode managedIdentity}. Times are in milliseconds. */
export interface ManagedIdentityOptions extends Host, ManagedIdentityId {
  /** Client capabilities such as `cp1`. @default [] */
  clientCapabilities?: readonly string[];
  /** Attests KeyGuard keys; needed for requests with `attest`. See `cachingAttestor`. */
  attestor?: Attestor;
  /** Name of the key; identities that share it share the key. @default "keybound" */
  keyId?: string;
  /** Kind of key to make where there is none. @default "RSA-2048" */
  keyAlgorithm?: KeyAlgorithm;
  /** For one attempt at the metadata service. @default 10000 */
  metadataTimeout?: number;
  /** For one attempt at the token endpoint. @default 30000 */
  tokenTimeout?: number;
  /**
   * Highest TLS version towards the token endpoint, which is reported not to ask for the client
   * certificate under TLS 1.3. @default "TLSv1.2"
   */
  tokenTlsVersion?: TlsVersion;
  /** Age from which a proof of the key no longer counts. @default 300000 */
  probeInterval?: number;
  /** Pause between two re-mints. @default 60000 */
  remintCooldown?: number;
  /** Tokens kept in memory. @default 10000 */
  tokenCacheSize?: number;
  /** Told of everything that happens; never of a secret. */
  onEvent?: EventListener;
  /** Time. @default the runtime's */
  clock?: Clock;
  /** Randomness in [0, 1), for jitter. @default Math.random */
  random?: () => number;
  /** Hashing, verification, ids. @default globalThis.crypto */
  crypto?: Crypto;
}

/** What a token is asked with. */
export interface TokenOptions<Wish extends BindingWish = BindingWish> {
  /**
   * What the token is to be bound to. `preferred` gives a bound token where the host can and a
   * bearer token where it can't; what only a bound token can meet (`attest`, `minStrength`,
   * `clientClaims`) is refused with it. @default "mtls_pop"
   */
  binding?: Wish;
  /** The resource's URI or application id; a `/.default` at its end is dropped. */
  resource: string;
  /** Whether the key must be attested (KeyGuard only). @default false */
  attest?: boolean;
  /** Weakest key that will do; enforced before any network. @default none */
  minStrength?: KeyStrength;
  /** A server's claims challenge (JSON text): bypasses the cache. */
  claims?: string;
  /** Claims of the client's own (JSON text): part of the cache's key. */
  clientClaims?: string;
  /**
   * Query parameters for the source of bearer tokens, in place of its own where the names are the
   * same: part of the cache's key. With `binding: "bearer"` only.
   */
  extraQueryParameters?: Readonly<Record<string, string>>;
  /** Whether to ask the token endpoint even if a token is cached. @default false */
  forceRefresh?: boolean;
  /** UUID for every request of the acquisition. @default a new one */
  correlationId?: string;
  /** Ends the wait; the promise rejects with the signal's reason. */
  signal?: AbortSignal;
}

/**
 * Which binding is meant, and the acquisition that it is replaced for.
 *
 * @internal
 */
export interface HealOptions extends Pick<TokenOptions, "attest" | "minStrength"> {
  /** UUID for every request. */
  readonly correlationId: string;
  /** Ends the wait. */
  readonly signal: AbortSignal;
}

/** `RequestInit` and what the token is asked with. The signal ends everything, the body included. */
export type BoundRequestInit = RequestInit & Omit<TokenOptions, "signal" | "claims">;

/** A managed identity. */
export interface ManagedIdentity {
  /**
   * A token, from memory if one is there: a bound one if nothing else is asked for.
   *
   * Rejects with a {@linkcode KeyboundError} (see `ErrorCode`) or the signal's reason.
   */
  getToken<Wish extends BindingWish = "mtls_pop">(
    options: TokenOptions<Wish>,
  ): Promise<TokenResult<Wish>>;
  /**
   * Sends a request with token and certificate together, over https; with a bearer token, if that
   * is asked for, by plain fetch, which verifies servers as the runtime does. A 401 with a claims challenge
   * is answered with a new token once, if the body can be sent twice.
   *
   * Rejects as `getToken` does, and with the code of a failure on the wire.
   */
  fetch(input: string | URL | Request, init: BoundRequestInit): Promise<Response>;
  /**
   * Where tokens come from and whether the host can bind them (protocol.md section 7.9): found by
   * probes of the metadata service, once; that there is nothing is believed for 60 seconds.
   *
   * Rejects with `invalid_argument` where `bearer` is missing, `invalid_managed_identity_endpoint`,
   * or the signal's reason. A deadline that passes is an answer.
   */
  capabilities(options?: Pick<CapabilitiesOptions, "deadline" | "signal">): Promise<Capabilities>;
  /**
   * Replaces a binding that another server refused, as a refusal of the own token endpoint would, at
   * its own pace; `false` while the cool-down lasts. Not there on an identity that only looks like
   * one.
   *
   * @internal
   */
  heal?(failed: Binding, cause: HealCause, options: HealOptions): Promise<boolean>;
  /**
   * Aborts every acquisition under way; nothing is answered any more. Requests to resource servers
   * end by their own signals, and the host's backends stay.
   */
  close(): Promise<void>;
}

/** Bearer tokens for a managed identity: what `bearerTokens` of `keybound/sources` gives. */
export interface BearerSupport {
  /**
   * The bearer side of one identity.
   *
   * @internal
   */
  attach(parts: IdentityParts): BearerSide;
}

/** What the bearer side is given of an identity. */
export interface IdentityParts {
  /** The identity that has bound tokens only. */
  readonly own: ManagedIdentity;
  /** The way to bound tokens. */
  readonly bound: TokenWay<TokenOptions, BoundToken>;
  /** Tokens of both kinds. */
  readonly tokens: Tokens<TokenResult<"preferred">>;
  /** Backends, caches, settings. */
  readonly dependencies: TokenDependencies;
  /** What the identity was made with. */
  readonly options: ManagedIdentityOptions;
}

/** What the core is given in return. */
export interface BearerSide {
  /** The identity that has tokens of both kinds. */
  readonly identity: ManagedIdentity;
  /**
   * Rejects where it is known that the host has no bound tokens, before anything is asked for:
   * `min_strength_not_met`, `mtls_pop_not_supported_for_environment`,
   * `mtls_pop_token_not_supported_in_imds_v1`, `managed_identity_all_sources_unavailable`.
   */
  admit(request: TokenRequest, context: FlightContext): Promise<void>;
}
