/**
 * The port for issued certificates: kept between runs, shared by the processes of a host.
 *
 * @module
 */

import type { Bytes } from "./encoding.ts";

/** A certificate and what is needed to use it; its key stays with the key provider. */
export interface StoredBinding {
  /** DER of the leaf certificate. */
  readonly certificate: Bytes;
  /** Base URL of the token endpoint, tenant included: `https://{host}/{tenant}`. */
  readonly endpoint: string;
  /** Canonical client id (UUID) of the identity. */
  readonly clientId: string;
}

/** Options of {@linkcode CertStore.lock}. */
export interface LockOptions {
  /** Ends the wait for the lock; the promise rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Milliseconds to wait for the lock before `store_lock_timeout`. @default 30000 */
  timeout?: number;
}

/**
 * Certificates by alias (`<identity>#att=0|1`). Aliases compare byte for byte, and no operation on
 * one alias touches another. An entry that can't be read is set aside, never an error and never in
 * the way of the others.
 *
 * Everything rejects with `store_unavailable` when the medium fails (full disk, no permission) and
 * `invalid_argument` for an alias that is blank, longer than 2048 characters or holds `|`, CR, LF
 * or NUL.
 */
export interface CertStore {
  /** Name of the backend, for events: `memory`, `files`, `windows`. */
  readonly name: string;
  /** All entries of the alias, the one that expires last first; expired ones are left out. */
  list(alias: string): Promise<StoredBinding[]>;
  /**
   * Adds an entry and prunes expired ones of the alias. Does nothing where an entry of this alias
   * expires at the same time or later (protocol.md section 3.4): to replace, evict first.
   *
   * Rejects with `invalid_der` for a certificate that doesn't parse, `invalid_argument` for an
   * endpoint or client id that no binding can have.
   */
  put(alias: string, binding: StoredBinding): Promise<void>;
  /** Removes every entry of the alias and says how many there were. */
  evict(alias: string): Promise<number>;
  /**
   * Runs `work` while no other holder of the same name, in this or any other process that shares
   * the store, runs its own. Not re-entrant. The lock is released when `work` settles or the
   * process dies, however it dies. `alias` may be any name an alias may be.
   */
  lock<T>(alias: string, work: () => Promise<T>, options?: LockOptions): Promise<T>;
}
