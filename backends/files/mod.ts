/**
 * Certificates and software keys in files, shared by the processes of a user.
 *
 * @module
 */

export { fileKeyStorage, type FileKeyStorageOptions } from "./key_storage.ts";
export { fileStore, type FileStoreOptions } from "./store.ts";
