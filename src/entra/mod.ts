/**
 * Applications (confidential clients) of Microsoft Entra with tokens bound to their certificate,
 * and identities that vouch for them.
 *
 * @example
 * ```ts
 * import { confidentialClient, pemCredential } from "keybound/entra";
 * import { detect } from "keybound/detect";
 *
 * const client = confidentialClient({
 *   ...await detect(),
 *   clientId: "f62c5ae3-bf3a-4af5-afa8-a68b800396e9",
 *   authority: "https://login.microsoftonline.com/contoso.com",
 *   credential: pemCredential(await readFile("client.pem", "utf8")),
 * });
 * const response = await client.fetch("https://my-vault.vault.azure.net/secrets/s?api-version=7.4", {
 *   resource: "https://vault.azure.net",
 * });
 * ```
 *
 * @module
 */

export type { HealCause } from "../policy/healing.ts";
export type { AcquiredToken } from "../token/result.ts";
export { confidentialClient } from "./confidential_client.ts";
export type {
  AssertionRequest,
  AssertionSource,
  CertificateSource,
  ClientAssertion,
  CredentialRequest,
  EntraCredential,
} from "./credential_types.ts";
export { federate, type FederationOptions, type FirstLeg, type SecondLeg } from "./federation.ts";
export type {
  ConfidentialClient,
  ConfidentialClientOptions,
  EntraBearerToken,
  EntraBindingWish,
  EntraBoundToken,
  EntraRequestInit,
  EntraToken,
  EntraTokenOptions,
  EntraTokenSettings,
  Target,
} from "./options.ts";
export {
  certificateCredential,
  pemCredential,
  type PemCredentialOptions,
} from "./pem_credential.ts";
