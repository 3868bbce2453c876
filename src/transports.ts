/**
 * The port for requests over mutual TLS, and what such a request tells when it fails.
 *
 * @module
 */

import type { ClientCredential } from "./credential.ts";
import { type ErrorCode, KeyboundError } from "./errors.ts";
import type { SigningKey } from "./keys.ts";

/** TLS protocol versions that can be asked for. */
export type TlsVersion = "TLSv1.2" | "TLSv1.3";

/** Options of {@linkcode MtlsTransport.fetch}. */
export interface MtlsFetchOptions {
  /**
   * `fresh` gives the request a connection of its own with a full handshake, closed afterwards, so
   * that nothing below re-sends it; `pooled` may use a kept-alive one of the same credential.
   * @default "pooled"
   */
  connection?: "fresh" | "pooled";
  /** Lowest version to accept. @default "TLSv1.2" */
  minVersion?: TlsVersion;
  /** Highest version to offer. @default "TLSv1.3" */
  maxVersion?: TlsVersion;
}

/**
 * Sends requests over TLS with a client certificate. Never without it, never over plain HTTP, never
 * following a redirect (a 3xx is an answer like any other), never to a server it can't verify.
 */
export interface MtlsTransport {
  /** Name of the backend, for events: `node_tls`, `openssl`, `schannel`, `fetcher`. */
  readonly name: string;
  /** Whether this transport can present a certificate of this key. */
  accepts(key: SigningKey): boolean;
  /**
   * The answer, its body streamed. `request.signal` ends it at any point, the body included; it
   * then rejects with the signal's reason.
   *
   * Rejects with {@linkcode TransportError} for everything that goes wrong on the wire,
   * `invalid_argument` for a URL that isn't https, `transport_not_available` for a key it doesn't
   * accept, `closed` after `close`.
   */
  fetch(
    request: Request,
    credential: ClientCredential,
    options?: MtlsFetchOptions,
  ): Promise<Response>;
  /**
   * Drops the idle connections, TLS sessions and key material held for this certificate
   * (`x5t#S256`, base64url). Requests under way finish; a later request starts afresh.
   */
  retire(thumbprint: string): void;
  /** Drops everything; requests under way fail with `closed`. */
  close(): Promise<void>;
}

/** How far a connection got before it failed. */
export type TransportStage = "start" | "tcp" | "secure" | "headers";

/** One link in the chain of causes of a failure, as the runtime gave it. */
export interface FailureSignal {
  /** `error.name`. */
  readonly name?: string;
  /** `error.code`: `ECONNRESET`, `ERR_SSL_...`, `EPROTO`. */
  readonly code?: string;
  /** `error.message`; only ever the TLS or network stack's own words. */
  readonly message?: string;
}

/** What was seen of a failed request; `classifyFailure` makes a verdict of it. */
export interface TransportFailure {
  /** The error and its causes, outermost first; at least one, at most 6. */
  readonly signals: readonly FailureSignal[];
  /** The furthest event seen: nothing, TCP connected, handshake done, response headers. */
  readonly stage: TransportStage;
  /** Whether the connection had carried an earlier request. */
  readonly reusedConnection: boolean;
  /** Whether any byte of the response had arrived. */
  readonly responseStarted: boolean;
  /** TLS alert received from the peer, by number (RFC 8446 section 6), where the stack tells. */
  readonly alert?: number;
}

/**
 * What a failure is about.
 *
 * - `credential_rejected`: the peer said in a TLS alert that it doesn't take the certificate. Under
 *   TLS 1.2 that can be said by whoever answers, verified or not.
 * - `suspect`: a fresh connection ended before any byte of a response, or with the alert
 *   `handshake_failure`. Many servers reject a client certificate that way; so does bad luck.
 * - `peer_reset`: a connection ended that had carried a request or a part of the response.
 * - `unreachable`: no name, no route, nobody listening.
 * - `timeout`, `aborted`: time ran out, or the caller called it off.
 * - `server_untrusted`: the server's certificate wasn't accepted here.
 * - `protocol`: what was spoken isn't TLS or HTTP as it should be, or an alert about anything else.
 */
export type FailureClass =
  | "credential_rejected"
  | "suspect"
  | "peer_reset"
  | "unreachable"
  | "timeout"
  | "server_untrusted"
  | "protocol"
  | "aborted";

/** A class and, where the peer sent one, the TLS alert. */
export interface FailureVerdict {
  /** What the failure is about. */
  readonly class: FailureClass;
  /** Name of the alert (RFC 8446 section 6, in snake case), or its bare number. */
  readonly alert?: string;
}

/** What a failure means, in the words of {@linkcode KeyboundError}. */
export interface TransportVerdict extends FailureVerdict {
  /** The class as a code: `tls_credential_rejected`, `connection_reset`, ... */
  readonly code: ErrorCode;
  /** What happened and what to do about it. */
  readonly advice: string;
}

/**
 * A request that failed on the wire: what was seen, and what the transport, which knows the words
 * of its TLS stack, makes of it. `transportError` of `policy/failure.ts` makes one.
 */
export class TransportError extends KeyboundError {
  /** What was seen. */
  readonly failure: TransportFailure;
  /** What it means. */
  readonly verdict: FailureVerdict;

  /** An error for this failure, with `cause` as the error behind it. */
  constructor(failure: TransportFailure, verdict: TransportVerdict, cause?: unknown) {
    const { code, advice, ...rest } = verdict;
    super(code, advice, { cause, retryable: code !== "tls_server_untrusted" });
    this.name = "TransportError";
    this.failure = failure;
    this.verdict = rest;
  }
}
