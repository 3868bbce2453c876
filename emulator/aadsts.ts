/**
 * Refusals of the token endpoint, in the form Entra gives them.
 *
 * @module
 */

import { randomUUID } from "node:crypto";
import type { Reply } from "./exchange.ts";

/** Why a token request is refused. */
export interface Refusal {
  readonly status: number;
  /** OAuth error code (RFC 6749 section 5.2). */
  readonly error: string;
  /** AADSTS number. */
  readonly code: number;
  readonly text: string;
}

/** A refusal of the request as such. */
export function badRequest(code: number, text: string): Refusal {
  return { status: 400, error: "invalid_request", code, text };
}

/** A refusal of the client. */
export function badClient(code: number, text: string): Refusal {
  return { status: 401, error: "invalid_client", code, text };
}

/** The answer that carries a refusal. `now` in ms; `correlationId` as the client sent it. */
export function refusalReply(refusal: Refusal, now: number, correlationId: string): Reply {
  const traceId = randomUUID();
  const timestamp = new Date(now).toISOString().replace("T", " ").replace(/\.\d+/, "");
  return {
    status: refusal.status,
    json: {
      error: refusal.error,
      error_description: `AADSTS${refusal.code}: ${refusal.text} Trace ID: ${traceId} ` +
        `Correlation ID: ${correlationId} Timestamp: ${timestamp}`,
      error_codes: [refusal.code],
      timestamp,
      trace_id: traceId,
      correlation_id: correlationId,
    },
  };
}
