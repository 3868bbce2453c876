/**
 * What a confidential client is made of, what it is asked with, and what it gives.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import type { ClientCredential } from "../credential.ts";
import type { EventListener } from "../events.ts";
import type { AcquiredToken, BindingWish } from "../token/result.ts";
import type { MtlsTransport, TlsVersion } from "../transports.ts";
import type { EntraCredential } from "./credential_types.ts";

/** Options of {@linkcode confidentialClient}. Times are in milliseconds. */
export interface ConfidentialClientOptions {
  /** Application (client) id. */
  clientId: string;
  /** `https://{host}/{tenant}`, or `https://{host}/dstsv2/{tenant}` for a dSTS. */
  authority: string;
  /**
   * What the client proves itself with. A function is called once a token request, never for a
   * token from memory, and once more when a server refuses what it gave.
   */
  credential: EntraCredential;
  /**
   * A region's name, `auto` for the one this host is in, `none`. A name that can't be one means the
   * global endpoint. `MSAL_FORCE_REGION` in `environment` stands in for it, `MSAL_DISABLE_REGION`
   * turns regions off. @default "none"
   */
  region?: string;
  /**
   * Whether bearer tokens, too, are asked for over mutual TLS, with an assertion signed by the
   * certificate (protocol.md section 8.1, mode E). For certificates only. @default false
   */
  sendCertificateOverMtls?: boolean;
  /** How TLS with the credential's key is done, best first; `detect()` gives them. */
  transports: readonly MtlsTransport[];
  /** Environment variables by name. @default {} */
  environment?: Readonly<Record<string, string | undefined>>;
  /** Client capabilities such as `cp1`. @default [] */
  clientCapabilities?: readonly string[];
  /** For one attempt at the token endpoint. @default 30000 */
  tokenTimeout?: number;
  /** Highest TLS version towards the mTLS endpoint. @default "TLSv1.2" */
  tokenTlsVersion?: TlsVersion;
  /** Pause between two times that a function is asked again after a refusal. @default 60000 */
  remintCooldown?: number;
  /** Tokens kept in memory. @default 10000 */
  tokenCacheSize?: number;
  /** Told of everything that happens; never of a secret. */
  onEvent?: EventListener;
  /**
   * Plain fetch: for the login host, the metadata service, and resources that take bearer tokens.
   * @default globalThis.fetch
   */
  fetch?: typeof globalThis.fetch;
  /** Time. @default the runtime's */
  clock?: Clock;
  /** Randomness in [0, 1), for jitter. @default Math.random */
  random?: () => number;
  /** Hashing, verification, ids. @default globalThis.crypto */
  crypto?: Crypto;
}

/** What a token of a confidential client can be bound to. */
export type EntraBindingWish = Exclude<BindingWish, "preferred">;

/** What a token is for: a scope, or the resource that `/.default` is put after. */
export type Target =
  | {
    /** Scope as the server knows it, `https://vault.azure.net/.default` for example. */
    scope: string;
    /** Not with a scope. */
    resource?: undefined;
  }
  | {
    /** The resource's URI or application id. */
    resource: string;
    /** Not with a resource. */
    scope?: undefined;
  };

/** What a token is asked with besides its target. */
export interface EntraTokenSettings<Wish extends EntraBindingWish = EntraBindingWish> {
  /**
   * What the token is to be bound to: the certificate, or nothing. There is no falling back from
   * one to the other. @default "mtls_pop"
   */
  binding?: Wish;
  /** Tenant in place of the authority's. */
  tenantId?: string;
  /** Path of a federated managed identity (`fmi_path`): part of the cache's key. */
  fmiPath?: string;
  /** A server's claims challenge (JSON text): bypasses the cache. */
  claims?: string;
  /** Claims of the client's own (JSON text): part of the cache's key. */
  clientClaims?: string;
  /** Whether to ask the token endpoint even if a token is cached. @default false */
  forceRefresh?: boolean;
  /** UUID for every request of the acquisition. @default a new one */
  correlationId?: string;
  /** Ends the wait; the promise rejects with the signal's reason. */
  signal?: AbortSignal;
}

/** What a token is asked with. */
export type EntraTokenOptions<Wish extends EntraBindingWish = EntraBindingWish> =
  & Target
  & EntraTokenSettings<Wish>;

/** A token that is useless without its certificate's key. Send both together, as one pair. */
export interface EntraBoundToken extends AcquiredToken {
  /** Also the scheme of the `Authorization` header. */
  readonly tokenType: "mtls_pop";
  /** The certificate and key it is bound to. */
  readonly binding: { readonly credential: ClientCredential };
}

/** A token that works for whoever has it. */
export interface EntraBearerToken extends AcquiredToken {
  /** Also the scheme of the `Authorization` header. */
  readonly tokenType: "Bearer";
  /** It isn't bound to anything. */
  readonly binding?: undefined;
}

/** The token for a wish. */
export type EntraToken<Wish extends EntraBindingWish = EntraBindingWish> = {
  mtls_pop: EntraBoundToken;
  bearer: EntraBearerToken;
}[Wish];

/** `RequestInit` and what the token is asked with. The signal ends everything, the body included. */
export type EntraRequestInit =
  & RequestInit
  & Target
  & Omit<EntraTokenSettings, "signal" | "claims">;

/** An application that proves itself with a certificate or with another identity's tokens. */
export interface ConfidentialClient {
  /**
   * A token, from memory if one is there: a bound one if nothing else is asked for.
   *
   * Rejects with a {@linkcode KeyboundError} (see `ErrorCode`) or the signal's reason. What can be
   * known to be wrong is refused before any network: the target, the authority, the credential.
   */
  getToken<Wish extends EntraBindingWish = "mtls_pop">(
    options: EntraTokenOptions<Wish>,
  ): Promise<EntraToken<Wish>>;
  /**
   * Sends a request over https with token and certificate together; with a bearer token, if that is
   * asked for, by plain fetch. A 401 with a claims challenge is answered with a new token once, if
   * the body can be sent twice.
   *
   * Rejects as `getToken` does, and with the code of a failure on the wire.
   */
  fetch(input: string | URL | Request, init: EntraRequestInit): Promise<Response>;
  /**
   * Aborts every acquisition under way; nothing is answered any more. Requests to resource servers
   * end by their own signals, and the transports stay.
   */
  close(): Promise<void>;
}
