/**
 * What the emulated Key Vault holds.
 *
 * @module
 */

import type { VaultKey } from "./key_vault_keys.ts";

/** One version of a secret. */
export interface VaultSecret {
  /** Version, 32 hex digits. */
  readonly version: string;
  /** When it was set, in seconds since the Unix epoch. */
  readonly created: number;
  /** The secret. */
  readonly value: string;
  /** What it is said to be. */
  readonly contentType: string | undefined;
}

/** Versions by name, in lower case, the latest last. */
export class KeyVault {
  /** Secrets. */
  readonly secrets: Map<string, VaultSecret[]> = new Map();
  /** Keys. */
  readonly keys: Map<string, VaultKey[]> = new Map();

  /** Empties it. */
  clear(): void {
    this.secrets.clear();
    this.keys.clear();
  }
}
