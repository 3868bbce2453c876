/**
 * A failure on the wire as the caller of an acquisition sees it.
 *
 * @module
 */

import { KeyboundError } from "./errors.ts";
import type { EndpointName } from "./events.ts";
import type { AcquisitionContext } from "./imds/request.ts";
import { TransportError } from "./transports.ts";

/** The error for a failure on the wire, told as an event too; any other error as it is. */
export function wireError(
  error: unknown,
  endpoint: EndpointName,
  { correlationId, emit }: Pick<AcquisitionContext, "correlationId" | "emit">,
): unknown {
  if (!(error instanceof TransportError)) return error;
  const { code, message, retryable, verdict } = error;
  emit({ type: "failure", endpoint, ...verdict });
  const source = endpoint === "resource" ? "Resource" : "TokenEndpoint";
  const details = { cause: error, retryable, correlationId, source };
  return new KeyboundError(code, `[${source}] ${message}`, details);
}
