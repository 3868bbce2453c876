/**
 * Azure Key Vault as the place of a confidential client's certificate, or of its key, which then
 * never leaves the vault.
 *
 * @example A certificate, with its key, out of the vault
 * ```ts
 * import { managedIdentity } from "keybound";
 * import { detect } from "keybound/detect";
 * import { confidentialClient } from "keybound/entra";
 * import { keyVaultCertificate } from "keybound/key-vault";
 *
 * const host = await detect();
 * const client = confidentialClient({
 *   ...host,
 *   clientId: "f62c5ae3-bf3a-4af5-afa8-a68b800396e9",
 *   authority: "https://login.microsoftonline.com/contoso.com",
 *   credential: keyVaultCertificate({
 *     vaultUrl: "https://my-vault.vault.azure.net",
 *     name: "client-certificate",
 *     identity: managedIdentity(host),
 *   }),
 * });
 * ```
 *
 * @module
 */

export { keyVaultCertificate, type KeyVaultCertificateOptions } from "./certificate.ts";
export { keyVaultKey, type KeyVaultKeyOptions } from "./key.ts";
export type { VaultIdentity, VaultOptions, VaultRequestInit } from "./options.ts";
