/**
 * A request as an endpoint sees it, and the answer it gives.
 *
 * @module
 */

import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { Peer } from "./peer.ts";
import type { Json } from "./steps.ts";

/** A request whose body, unless the route streams it, has been read. */
export interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** The body; empty where the route streams. */
  readonly body: Uint8Array;
  /** The client certificate, on mTLS listeners. */
  readonly peer: Peer | undefined;
  /** The request itself, for routes that stream. */
  readonly request: IncomingMessage;
}

/** An answer. */
export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Body as JSON; goes before `body`. */
  readonly json?: Json;
  /** Body as it is. */
  readonly body?: string;
  /** Headers to leave out after all, lower case: those of the listener included. */
  readonly without?: ReadonlySet<string>;
  /** Writes the body itself; status and headers are already set. */
  readonly stream?: (response: ServerResponse) => Promise<void>;
}

/** Answers one endpoint's requests. */
export type Handler = (exchange: Exchange) => Promise<Reply> | Reply;

/** The error body of OAuth and of the metadata service. */
export function oauthError(status: number, error: string, description: string): Reply {
  return { status, json: { error, error_description: description } };
}

/** The answer to a method an endpoint doesn't have. */
export function methodNotAllowed(allow: string): Reply {
  return {
    ...oauthError(405, "method_not_allowed", `Only ${allow} is allowed here.`),
    headers: { allow },
  };
}

/** Whether the request has the header that no cross-site request can have. */
export function hasMetadataHeader(headers: IncomingHttpHeaders): boolean {
  return headers["metadata"]?.toString().toLowerCase() === "true";
}

/** The body parsed as a JSON object, or `undefined`. */
export function jsonObject(body: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? value as Record<string, unknown>
      : undefined;
  } catch {
    return undefined;
  }
}

/** Media type of a `Content-Type` header, without parameters, lower case. */
export function mediaType(headers: IncomingHttpHeaders): string {
  return (headers["content-type"] ?? "").split(";")[0]!.trim().toLowerCase();
}
