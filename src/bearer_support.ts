/**
 * How the bearer side of a managed identity, which isn't part of the core, is attached to it.
 *
 * @module
 */

import type { FlightContext } from "./binding/context.ts";
import type {
  ManagedIdentity,
  ManagedIdentityOptions,
  TokenOptions,
} from "./managed_identity_options.ts";
import type { TokenDependencies, TokenRequest } from "./token/acquire.ts";
import type { BoundToken, TokenResult } from "./token/result.ts";
import type { Tokens, TokenWay } from "./token/tokens.ts";

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
