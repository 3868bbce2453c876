/**
 * Keys, certificates and attestation of Windows: CNG with KeyGuard and TPM, the certificate store
 * of user or machine, and `AttestationClientLib.dll`.
 *
 * @module
 */

export type { InKeyContainer, KeyContainer, NativeHandle } from "../../src/keys.ts";
export { type AttestationLogLine } from "./attestation_log.ts";
export { type WindowsAttestor, windowsAttestor, type WindowsAttestorOptions } from "./attestor.ts";
export { type StoreScope } from "./certificates.ts";
export { isStoreDisabled } from "./disabled.ts";
export { type WindowsSigningKey } from "./key.ts";
export { type WindowsKeyProvider, windowsKeys, type WindowsKeysOptions } from "./provider.ts";
export { windowsStore, type WindowsStoreOptions } from "./store.ts";
export { type WindowsKeyChoice } from "./tier_choice.ts";
