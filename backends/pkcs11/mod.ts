/**
 * Keys and certificates in an HSM, a TPM 2 or a smart card, through its PKCS#11 module.
 *
 * @module
 */

export { findPkcs11, type FoundPkcs11 } from "./find.ts";
export { type Pkcs11SigningKey } from "./key.ts";
export { type Pkcs11KeyInfo } from "./key_list.ts";
export { type Pkcs11Options } from "./options.ts";
export { pinFile, type PinSource } from "./pin.ts";
export { type Pkcs11KeyProvider, pkcs11Keys } from "./provider.ts";
export { pkcs11Key, type Pkcs11SingleKey } from "./single_key.ts";
export { type Pkcs11CertStore, pkcs11Store, type Pkcs11StoreOptions } from "./store.ts";
export { formatPkcs11Uri, parsePkcs11Uri, type Pkcs11Uri } from "./uri.ts";
