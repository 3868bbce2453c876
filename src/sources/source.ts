/**
 * Bearer tokens of managed identities: what is asked, what is answered, and what of the host it
 * takes (protocol.md section 7).
 *
 * @module
 */

import type { Retry } from "../http.ts";
import type { Identity } from "../identity.ts";
import type { KeyStrength } from "../keys.ts";

/** Where a host has its managed identity from. */
export type SourceName =
  | "ServiceFabric"
  | "AppService"
  | "MachineLearning"
  | "CloudShell"
  | "AzureArc"
  | "Imds";

/** Who gives bearer tokens: a source of the host, or the developer's login on a laptop. */
export type BearerSourceName = SourceName | "AzureCli";

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What only the host itself can do. */
export interface HostAccess {
  /** Whose paths and conventions hold. */
  readonly platform: "linux" | "windows" | "other";
  /** Whether there is a file at this path. */
  exists(path: string): Promise<boolean>;
  /**
   * The content of a file that only the host's own agent can have put there: a regular file, not a
   * symbolic link, of at most `maxBytes` bytes of UTF-8, and of the folder's owner or root where the
   * platform has owners. Rejects otherwise; the error's message names no content.
   */
  readSecretFile(path: string, maxBytes: number): Promise<string>;
  /**
   * A fetch, https only, for servers that are known by the SHA-1 of their certificate's DER (40 hex
   * digits) and by nothing else. Nothing of a request is written before the certificate has been
   * compared. Redirects are answers like any other. Rejects with `tls_server_untrusted` for another
   * certificate.
   */
  pinnedFetch(thumbprint: string): typeof globalThis.fetch;
}

/** What is asked for. */
export interface BearerQuery {
  /** Whose token. */
  readonly identity: Identity;
  /** The resource, without `/.default`. */
  readonly resource: string;
  /** Client capabilities such as `cp1`, for the sources that take them. */
  readonly capabilities: readonly string[];
  /** Query parameters besides; of the same name, in place of the source's own. @default {} */
  readonly extraQueryParameters?: Readonly<Record<string, string>> | undefined;
  /** Lower-case hex SHA-256 of the token that a claims challenge has revoked. */
  readonly revokedTokenHash?: string | undefined;
  /** UUID of the acquisition. */
  readonly correlationId: string;
  /** Ends the wait; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Told before each repetition. */
  readonly onRetry?: ((retry: Retry) => void) | undefined;
}

/** A bearer token. Times in milliseconds since the Unix epoch. */
export interface BearerAnswer {
  /** The access token. */
  readonly accessToken: string;
  /** When it expires. */
  readonly expiresOn: number;
  /** When it should be refreshed: at half of a life of more than 2 hours. */
  readonly refreshOn?: number | undefined;
  /** Who gave it. */
  readonly source: BearerSourceName;
}

/** What a host's managed identity can do. */
export interface Capabilities {
  /** Where tokens come from; absent where there is no managed identity. */
  readonly source?: BearerSourceName;
  /** Whether a token bound to a key can be had. */
  readonly boundTokens: boolean;
  /** Why not, where not. */
  readonly reason?: string;
  /** The strongest binding the host is made for. */
  readonly strength: "none" | KeyStrength;
}

/** How capabilities are asked for. */
export interface CapabilitiesOptions {
  /** Whose; sent along, as the metadata service expects it. @default the host's own identity */
  readonly identity?: Identity;
  /** Milliseconds in all, after which the answer is that there is no managed identity. @default 1000 */
  readonly deadline?: number;
  /** Ends the wait; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** The managed identities of a host, as bearer tokens. */
export interface ManagedIdentitySources {
  /** The source that tokens come from, as environment and files tell; without any network. */
  find(): Promise<BearerSourceName>;
  /**
   * A token from that source, nothing cached.
   *
   * Rejects before any request with `invalid_managed_identity_endpoint` for an environment that
   * can't be right, `user_assigned_managed_identity_not_supported`,
   * `user_assigned_managed_identity_not_configurable_at_runtime`, `invalid_managed_identity_id_type`
   * for an identity that the source can't give, and `managed_identity_all_sources_unavailable` where
   * `capabilities` has lately found nothing. After one with `managed_identity_request_failed`,
   * `managed_identity_response_parse_failure`, `managed_identity_unreachable_network`,
   * `invalid_timestamp_format`, `invalid_token_provider_response_value`, `request_timeout`,
   * `redirect_refused`, `response_too_large`, `tls_server_untrusted`, or the signal's reason.
   */
  token(query: BearerQuery): Promise<BearerAnswer>;
  /**
   * What the host can do (protocol.md section 7.9). Found once; that there is nothing is believed
   * for 60 seconds. Rejects with the signal's reason, or `invalid_argument` or
   * `invalid_managed_identity_endpoint` for options and an environment that can't be right.
   */
  capabilities(options?: CapabilitiesOptions): Promise<Capabilities>;
  /** What is known of that already; `undefined` where it would take a request to find out. */
  known(): Promise<Capabilities | undefined>;
}

/** A token request to a source. */
export interface SourceRequest {
  /** Absolute URL, query included. */
  readonly url: string;
  /** Method, headers and body. */
  readonly init: {
    readonly method: "GET" | "POST";
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: string;
  };
  /** SHA-1 thumbprint of the server's certificate, 40 lower-case hex digits, where one is pinned. */
  readonly thumbprint?: string;
}
