/**
 * What an RFC 8705 client is made of, what it is asked with, and what it gives.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { ClientCredential } from "../credential.ts";
import type { EventListener } from "../events.ts";
import type { MtlsTransport, TlsVersion } from "../transports.ts";

/** Endpoints for those who authenticate by certificate (RFC 8705 section 5). */
export interface MtlsEndpointAliases {
  /** Used in place of `token_endpoint`. */
  readonly token_endpoint?: string;
  /** Used in place of `introspection_endpoint`. */
  readonly introspection_endpoint?: string;
  /** Others are of no use here. */
  readonly [name: string]: unknown;
}

/** What an authorization server says of itself (RFC 8414 section 2), as far as it is used here. */
export interface AuthorizationServerMetadata {
  /** Its identifier: an https URL. */
  readonly issuer: string;
  /** An https URL. */
  readonly token_endpoint: string;
  /** An https URL. */
  readonly introspection_endpoint?: string;
  /** They go before the endpoints above. */
  readonly mtls_endpoint_aliases?: MtlsEndpointAliases;
  /** The rest is ignored. */
  readonly [name: string]: unknown;
}

/** The client's certificate with its key, or what gives the one to use now. */
export type CredentialSource =
  | ClientCredential
  | (() => ClientCredential | Promise<ClientCredential>);

/** Options of {@linkcode rfc8705Client}. Times are in milliseconds. */
export interface Rfc8705ClientOptions {
  /**
   * The authorization server's identifier, an https URL: its metadata is looked up there. Exactly
   * one of `issuer` and `metadata` is given.
   */
  issuer?: string;
  /** The authorization server's metadata, for one that doesn't publish it. */
  metadata?: AuthorizationServerMetadata;
  /** The client as the authorization server knows it (RFC 6749 section 2.2). */
  clientId: string;
  /**
   * What authenticates the client and what its tokens are bound to. A function is called once a
   * request for a token and never for one from memory: return another credential and tokens move
   * over to it in the background, while those bound to the old one are still served with it.
   */
  credential: CredentialSource;
  /** How TLS with such a key is done, best first; `detect()` gives them. Or `transport`. */
  transports?: readonly MtlsTransport[];
  /** The only transport, instead of `transports`. */
  transport?: MtlsTransport;
  /**
   * Whether a token that isn't a JWT is asked about at the introspection endpoint (RFC 7662), and
   * refused unless that says it is bound to the certificate. Otherwise such a token passes: whether
   * it is bound, only the resource server can tell then. @default false
   */
  introspect?: boolean;
  /** For one attempt at an endpoint of the authorization server. @default 30000 */
  timeout?: number;
  /** How long metadata that was looked up is used. @default 3600000 */
  metadataLife?: number;
  /** Highest TLS version towards the authorization server. @default "TLSv1.3" */
  tlsVersion?: TlsVersion;
  /** Tokens kept in memory. @default 10000 */
  tokenCacheSize?: number;
  /** Told of everything that happens; never of a secret. */
  onEvent?: EventListener;
  /** Time. @default the runtime's */
  clock?: Clock;
  /** Randomness in [0, 1), for jitter. @default Math.random */
  random?: () => number;
  /** Ids. @default globalThis.crypto */
  crypto?: Crypto;
}

/** What a token is asked with. */
export interface Rfc8705TokenOptions {
  /** Scopes, separated by spaces (RFC 6749 section 3.3); their order doesn't matter. */
  scope?: string;
  /** Where the token is to be used, absolute URIs without fragment (RFC 8707 section 2). */
  resource?: string | readonly string[];
  /** More parameters for the token endpoint, such as an `audience` that the server wants. */
  parameters?: Readonly<Record<string, string>>;
  /** Whether to ask the token endpoint even if a token is cached. @default false */
  forceRefresh?: boolean;
  /** UUID that ties the acquisition's errors and events together. @default a new one */
  correlationId?: string;
  /** Ends the wait; the promise rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** A token bound to a certificate. Send both together, as one pair. */
export interface Rfc8705Token {
  /** The access token. */
  readonly accessToken: string;
  /** The scheme of the `Authorization` header, by what the server says the token is. */
  readonly tokenType: "Bearer" | "mtls_pop";
  /**
   * End of its life, in milliseconds since the Unix epoch; absent where neither the server nor the
   * token says, and then it isn't kept either.
   */
  readonly expiresOn?: number;
  /** When it will be refreshed in the background, in milliseconds since the Unix epoch. */
  readonly refreshOn?: number;
  /** What was granted, separated by spaces; what was asked for, where the server doesn't say. */
  readonly scope?: string;
  /** The certificate and key it is bound to. */
  readonly binding: { readonly credential: ClientCredential };
  /**
   * Whether it was seen to be bound to that certificate, in the token itself or by introspection;
   * `false` for an opaque token nobody was asked about.
   */
  readonly confirmed: boolean;
  /** Whether it was served from memory. */
  readonly fromCache: boolean;
  /** Correlation id (UUID) of the acquisition that got it. */
  readonly correlationId: string;
}

/** `RequestInit` and what the token is asked with. The signal ends everything, the body included. */
export type Rfc8705BoundRequestInit = RequestInit & Omit<Rfc8705TokenOptions, "signal">;

/** A client of one authorization server. */
export interface Rfc8705Client {
  /**
   * A bound token, from memory if one is there.
   *
   * Rejects with a {@linkcode KeyboundError} (see `ErrorCode`) or the signal's reason.
   */
  getToken(options?: Rfc8705TokenOptions): Promise<Rfc8705Token>;
  /**
   * Sends a request with token and certificate together, over https. A 401 that calls the token
   * invalid, and a TLS alert that refuses a certificate which has a successor by now, are answered
   * with a new token once, if the body can be sent twice.
   *
   * Rejects as `getToken` does, and with the code of a failure on the wire.
   */
  fetch(input: string | URL | Request, init?: Rfc8705BoundRequestInit): Promise<Response>;
  /**
   * Aborts every acquisition under way; nothing is answered any more. Requests to resource servers
   * end by their own signals, and the transports stay.
   */
  close(): Promise<void>;
}
