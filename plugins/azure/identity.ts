/**
 * What the Azure plugin needs of an identity, and how it asks.
 *
 * @module
 */

import type { BindingWish } from "../../src/token/result.ts";

/** What is asked for. */
export interface AzureTokenOptions<Wish extends BindingWish = BindingWish> {
  /** The resource's URI, without `/.default`. */
  readonly resource: string;
  /** What the token is to be bound to. */
  readonly binding?: Wish;
  /** Tenant in place of the identity's own; a managed identity has one tenant and takes no other. */
  readonly tenantId?: string;
  /** A server's claims challenge (JSON text). */
  readonly claims?: string;
  /** Claims of the client's own (JSON text). */
  readonly clientClaims?: string;
  /** Ends the wait. */
  readonly signal?: AbortSignal;
}

/** What is told of a token. */
export interface AzureToken {
  /** The access token. */
  readonly accessToken: string;
  /** `mtls_pop` or `Bearer`. */
  readonly tokenType: string;
  /** End of its life, in milliseconds since the Unix epoch. */
  readonly expiresOn: number;
  /** When it will be refreshed, in milliseconds since the Unix epoch. */
  readonly refreshOn?: number;
}

/** `RequestInit` and what the token is asked with. */
export type AzureRequestInit<Wish extends BindingWish = BindingWish> =
  & RequestInit
  & Pick<AzureTokenOptions<Wish>, "resource" | "binding" | "tenantId" | "clientClaims">;

/**
 * A managed identity, a confidential client, or anything else that gives tokens and sends them
 * together with their certificate. `Wish` is what it knows of `binding`.
 */
export interface AzureIdentity<Wish extends BindingWish = "mtls_pop"> {
  /** A token. */
  getToken(options: AzureTokenOptions<Wish>): Promise<AzureToken>;
  /** The answer to a request that carries a token and its certificate. */
  fetch(input: string, init: AzureRequestInit<Wish>): Promise<Response>;
}
