/**
 * What an agent is made of, and whose certificate it presents.
 *
 * @module
 */

import type { OpensslOptions } from "../../backends/openssl/mod.ts";
import type { Clock } from "../../src/clock.ts";
import type { ClientCredential } from "../../src/credential.ts";
import type { TlsVersion } from "../../src/transports.ts";

/** Options of every agent. */
export interface KeyAgentOptions {
  /** PEM certificates of the authorities that servers are verified against. @default the system's */
  ca?: string | readonly string[];
  /** Lowest TLS version to accept. @default "TLSv1.2" */
  minVersion?: TlsVersion;
  /** Highest TLS version to offer. @default "TLSv1.3" */
  maxVersion?: TlsVersion;
  /**
   * Whether connections are kept for the next request. Deno sends a request again, POST included,
   * when the kept connection it was sent on is reset: say `false` where that does harm.
   * @default true
   */
  keepAlive?: boolean;
  /** Milliseconds until an idle connection is closed. @default 15000 */
  keepAliveTimeout?: number;
  /** How OpenSSL is found and where keys sign, for keys that can't leave their place. */
  openssl?: Omit<OpensslOptions, "ca">;
  /** Time, to tell whether a certificate is in force. @default the runtime's */
  clock?: Clock;
}

/** A token as an agent looks at it. */
export interface AgentToken {
  /** The access token. */
  readonly accessToken: string;
  /** The scheme of the `Authorization` header. */
  readonly tokenType: string;
  /** The certificate and key that it is bound to. */
  readonly binding?: { readonly credential: ClientCredential } | undefined;
}

/** What has bound tokens: a managed identity, a confidential client, a client of RFC 8705. */
export interface BoundTokenSource<Question> {
  /** A token, from memory if one is there. */
  getToken(question: Question): Promise<AgentToken>;
}

/** Options of an agent that follows an identity. */
export interface IdentityAgentOptions<Question> extends KeyAgentOptions {
  /** What tokens are asked with, `{ resource }` for one. */
  token: Question;
}
