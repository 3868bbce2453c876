/**
 * Access tokens bound to a private key (RFC 8705, `mtls_pop`), with bindings that heal themselves.
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
 *
 * @module
 */

export type { AttestationRequest, Attestor } from "./src/attestation.ts";
export { cachingAttestor, type CachingAttestorOptions } from "./src/caching_attestor.ts";
export type { Binding } from "./src/binding/binding.ts";
export { type Clock, systemClock } from "./src/clock.ts";
export { ClientCredential } from "./src/credential.ts";
export type { Bytes } from "./src/encoding.ts";
export { type ErrorCode, type ErrorDetails, isKeyboundError, KeyboundError } from "./src/errors.ts";
export type {
  AdoptEvent,
  BackgroundEvent,
  CacheEvent,
  EndpointName,
  EventBase,
  EventListener,
  EvictEvent,
  EvictReason,
  FailureEvent,
  HealEvent,
  KeyboundEvent,
  MintEvent,
  ProbeEvent,
  RetryEvent,
  StoreEvent,
  TokenEvent,
} from "./src/events.ts";
export type { KeyStorage } from "./src/key_storage.ts";
export type { ManagedIdentityId } from "./src/identity.ts";
export {
  type CreateKeyOptions,
  isPemExportable,
  isSyncSigner,
  type KeyAlgorithm,
  type KeyOptions,
  type KeyProvider,
  type KeyStrength,
  meetsStrength,
  type PemExportable,
  type SignatureScheme,
  type SigningKey,
  type SyncSigner,
} from "./src/keys.ts";
export { managedIdentity } from "./src/managed_identity.ts";
export type {
  BearerSupport,
  BoundRequestInit,
  Host,
  ManagedIdentity,
  ManagedIdentityOptions,
  TokenOptions,
} from "./src/managed_identity_options.ts";
export type { CertStore, LockOptions, StoredBinding } from "./src/stores.ts";
export type {
  AcquiredToken,
  BearerToken,
  BindingWish,
  BoundToken,
  TokenResult,
} from "./src/token/result.ts";
export {
  type FailureClass,
  type FailureSignal,
  type FailureVerdict,
  type MtlsFetchOptions,
  type MtlsTransport,
  type TlsVersion,
  TransportError,
  type TransportFailure,
  type TransportStage,
} from "./src/transports.ts";
export type { Certificate } from "./src/x509/certificate.ts";
export type { Name, NameAttribute } from "./src/x509/name.ts";
