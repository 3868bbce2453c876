/**
 * How a vault is reached.
 *
 * @module
 */

import type { Clock } from "../../src/clock.ts";
import type { BindingWish } from "../../src/token/result.ts";

/** `RequestInit` and what the token is asked with. */
export interface VaultRequestInit<Wish extends BindingWish = BindingWish> extends RequestInit {
  /** The resource's URI. */
  readonly resource: string;
  /** What the token is to be bound to. */
  readonly binding?: Wish;
}

/** A managed identity, or anything else that sends its token with a request. */
export interface VaultIdentity<Wish extends BindingWish = "mtls_pop"> {
  /** The vault's answer. */
  fetch(input: string, init: VaultRequestInit<Wish>): Promise<Response>;
}

/** Where a vault is and who asks. Times are in milliseconds. */
export interface VaultOptions<Wish extends BindingWish = "mtls_pop"> {
  /** `https://{name}.vault.azure.net`. */
  vaultUrl: string;
  /** Name of the secret or key. */
  name: string;
  /** Its version. @default the latest, when it is looked for */
  version?: string;
  /** Who asks the vault. */
  identity: VaultIdentity<Wish>;
  /** What the identity's token is to be bound to. @default "mtls_pop" */
  binding?: Wish;
  /** What the token is for. @default by the vault's host; else "https://vault.azure.net" */
  resource?: string;
  /** Version of the vault's interface. @default "7.5" */
  apiVersion?: string;
  /** For one request. @default 10000 */
  timeout?: number;
  /** Time. @default the runtime's */
  clock?: Clock;
  /** Hashing, reading of keys, ids. @default globalThis.crypto */
  crypto?: Crypto;
}
