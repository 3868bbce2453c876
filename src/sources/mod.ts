/**
 * Bearer tokens of a host's managed identities, from whichever source it has. Not part of the core:
 * handed to it by who wants it.
 *
 * @module
 */

export type { Retry } from "../http.ts";
export { type Identity, type ManagedIdentityId, resolveIdentity } from "../identity.ts";
export type { KeyStrength } from "../keys.ts";
export type { BearerSupport } from "../managed_identity_options.ts";
export { bearerTokens, type BearerTokensOptions } from "./bearer.ts";
export type {
  BearerAnswer,
  BearerQuery,
  BearerSourceName,
  Capabilities,
  CapabilitiesOptions,
  Environment,
  HostAccess,
  ManagedIdentitySources,
  SourceName,
} from "./source.ts";
export { managedIdentitySources, type ManagedIdentitySourcesOptions } from "./host_sources.ts";
