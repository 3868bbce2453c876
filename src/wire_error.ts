/**
 * A failure on the wire as the caller of an acquisition sees it.
 *
 * @module
 */

import { KeyboundError } from "./errors.ts";
import type { EndpointName } from "./events.ts";
import type { AcquisitionContext } from "./imds/request.ts";
import { TransportError } from "./transports.ts";

/** The error as the caller of an acquisition gets it; what failed on the wire is an event too. */
export function wireError(
  error: unknown,
  endpoint: EndpointName,
  { correlationId, emit }: Pick<AcquisitionContext, "correlationId" | "emit">,
  source: string = endpoint === "resource" ? "Resource" : "TokenEndpoint",
): unknown {
  if (!(error instanceof KeyboundError) || error.correlationId !== undefined) return error;
  const { code, message, retryable, status } = error;
  if (error instanceof TransportError) emit({ type: "failure", endpoint, ...error.verdict });
  else if (code === "request_timeout") emit({ type: "failure", endpoint, class: "timeout" });
  const details = { cause: error, retryable, status, correlationId, source };
  return new KeyboundError(code, message, details);
}
