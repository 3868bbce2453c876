/**
 * Failures in the form that the Azure SDK's policies know.
 *
 * @module
 */

import { type ErrorCode, KeyboundError } from "../../src/errors.ts";

/**
 * Codes of failures as Node's sockets have them, which the SDK's retry policy knows to be worth
 * another try.
 */
const SYSTEM_CODES: Partial<Readonly<Record<ErrorCode, string>>> = {
  connection_reset: "ECONNRESET",
  network_unreachable: "ECONNREFUSED",
  request_timeout: "ETIMEDOUT",
  tls_credential_suspect: "ECONNRESET",
};

/** No answer came. What `@azure/core-rest-pipeline` calls a `RestError`, by its shape. */
export class BoundRequestError extends Error {
  /** By which the SDK knows it. */
  override readonly name = "RestError";
  /** A system's code where the SDK may try again, else `REQUEST_SEND_ERROR`. */
  readonly code: string;
  /** There was no answer. */
  readonly statusCode?: number;
  /** The request; not enumerable, since its headers and body are nobody's business. */
  declare readonly request: unknown;
  /** There was none. */
  declare readonly response: undefined;

  /** An error about this request. */
  constructor(message: string, request: unknown, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause });
    const known = cause instanceof KeyboundError ? SYSTEM_CODES[cause.code] : undefined;
    this.code = known ?? "REQUEST_SEND_ERROR";
    Object.defineProperty(this, "request", { value: request, enumerable: false });
    Object.defineProperty(this, "response", { value: undefined, enumerable: false });
  }
}
