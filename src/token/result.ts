/**
 * Tokens as callers get them.
 *
 * @module
 */

import type { Binding } from "../binding/binding.ts";
import type { BearerSourceName } from "../sources/source.ts";

/**
 * What a token is to be bound to: a key of this host (`mtls_pop`), nothing (`bearer`), or a key
 * where the host can do that and nothing where it can't (`preferred`).
 */
export type BindingWish = "mtls_pop" | "bearer" | "preferred";

/** What every token comes with. */
export interface AcquiredToken {
  /** The access token. */
  readonly accessToken: string;
  /** End of its life, in milliseconds since the Unix epoch. */
  readonly expiresOn: number;
  /** When it will be refreshed in the background, in milliseconds since the Unix epoch. */
  readonly refreshOn?: number;
  /** Whether it was served from memory. */
  readonly fromCache: boolean;
  /** Correlation id (UUID) of the acquisition that got it. */
  readonly correlationId: string;
}

/** A token that is useless without its binding's key. Send both together, as one pair. */
export interface BoundToken extends AcquiredToken {
  /** Also the scheme of the `Authorization` header. */
  readonly tokenType: "mtls_pop";
  /** The certificate and key it is bound to. */
  readonly binding: Binding;
  /** Where it came from. */
  readonly source: "Imds";
}

/** A token that works for whoever has it. */
export interface BearerToken extends AcquiredToken {
  /** Also the scheme of the `Authorization` header. */
  readonly tokenType: "Bearer";
  /** It isn't bound to anything. */
  readonly binding?: undefined;
  /** Where it came from. */
  readonly source: BearerSourceName;
}

/** The token for a wish; `preferred` gives either, told apart by `tokenType` or `binding`. */
export type TokenResult<Wish extends BindingWish = "mtls_pop"> = {
  mtls_pop: BoundToken;
  bearer: BearerToken;
  preferred: BoundToken | BearerToken;
}[Wish];
