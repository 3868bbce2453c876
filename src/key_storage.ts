/**
 * The port for software keys at rest.
 *
 * @module
 */

import type { Bytes } from "./encoding.ts";
import type { KeyOptions } from "./keys.ts";

/**
 * Keeps the private keys of a software key provider between runs, shared by the processes that
 * use it. Any id is fine; ids compare byte for byte.
 *
 * Everything rejects with `key_provider_unavailable` when the medium fails.
 */
export interface KeyStorage {
  /**
   * The key of this id as DER PKCS#8 (RFC 5208), `undefined` where there is none.
   *
   * Rejects with `key_file_invalid` for one that is there and can't be read or trusted.
   */
  read(id: string, options?: KeyOptions): Promise<Bytes | undefined>;
  /** Keeps a key, DER PKCS#8, in place of any that was there. A reader sees the old or the new. */
  write(id: string, pkcs8: Bytes, options?: KeyOptions): Promise<void>;
  /** Destroys the key of this id; does nothing where there is none. */
  remove(id: string, options?: KeyOptions): Promise<void>;
}
