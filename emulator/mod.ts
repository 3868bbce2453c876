/**
 * An emulator of everything a bound token needs: the metadata service (IMDS v1 and v2), the Entra
 * token endpoint over mutual TLS, the attestation service and a resource server that checks the
 * binding; and of the other managed identity sources: App Service, Machine Learning, Cloud Shell,
 * Arc, Service Fabric. Loopback only, on ports of its own, as strict as the real thing, and scriptable.
 *
 * @example
 * ```ts
 * const emulator = await startEmulator();
 * process.env.AZURE_POD_IDENTITY_AUTHORITY_HOST = emulator.metadata;
 * await emulator.script("token", invalidClient());
 * ```
 *
 * @module
 */

export { connectEmulator } from "./connect.ts";
export { type EntraAddresses, type EntraHosts, entraHosts } from "./entra_hosts.ts";
export {
  claimsChallenge,
  invalidClient,
  oauthFailure,
  redirect,
  throttled,
  unavailable,
} from "./presets.ts";
export { spawnEmulator, type SpawnOptions } from "./spawn.ts";
export { startEmulator } from "./start.ts";
export {
  DEFAULT_APPLICATIONS,
  DEFAULT_IDENTITIES,
  DEFAULT_STATE,
  DEFAULT_TENANT_ID,
} from "./state.ts";
export type { SourceEnvironments } from "./source_environments.ts";
export type * from "./steps.ts";
export type * from "./traffic.ts";
export type * from "./types.ts";
