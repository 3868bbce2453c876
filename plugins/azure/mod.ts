/**
 * Clients of the Azure SDK for JavaScript with bound tokens: a credential, and the HTTP client that
 * sends token and certificate together.
 *
 * @example
 * ```ts
 * import { SecretClient } from "@azure/keyvault-secrets";
 * import { managedIdentity } from "keybound";
 * import { httpClient, tokenCredential } from "keybound/azure";
 * import { detect } from "keybound/detect";
 *
 * const identity = managedIdentity(await detect());
 * const client = new SecretClient("https://my-vault.vault.azure.net", tokenCredential(identity), {
 *   httpClient: httpClient(identity),
 * });
 * const { value } = await client.getSecret("demo");
 * ```
 *
 * @module
 */

export {
  type AzureAccessToken,
  type AzureGetTokenOptions,
  type AzureTokenCredential,
  tokenCredential,
  type TokenCredentialOptions,
} from "./credential.ts";
export { BoundRequestError } from "./errors.ts";
export type { ResponseHeaders } from "./headers.ts";
export {
  type AzureHttpClient,
  type AzureRequest,
  type AzureResponse,
  httpClient,
  type HttpClientOptions,
  type RequestHeaders,
} from "./http_client.ts";
export type { AzureIdentity, AzureRequestInit, AzureToken, AzureTokenOptions } from "./identity.ts";
export type { OnProgress } from "./body.ts";
export type { AbortSignalLike } from "./signal.ts";
