/**
 * A failure on the wire as callers see it: a code by its class, and what to do.
 *
 * @module
 */

import { type ErrorCode, KeyboundError } from "./errors.ts";
import type { EndpointName } from "./events.ts";
import type { AcquisitionContext } from "./imds/request.ts";
import type { FailureClass } from "./policy/failure.ts";
import { TransportError } from "./transports.ts";

const MEANING: Readonly<Record<FailureClass, readonly [code: ErrorCode, advice: string]>> = {
  aborted: ["transport_failed", "the runtime aborted it"],
  credential_rejected: ["tls_credential_rejected", "the server rejected the client certificate"],
  peer_reset: ["connection_reset", "the connection was reset"],
  protocol: ["tls_protocol_error", "the peer doesn't speak TLS or HTTP. Check for a proxy"],
  server_untrusted: ["tls_server_untrusted", "can't verify the server. Check its name, CA, clock"],
  suspect: ["tls_credential_suspect", "reset unanswered, as when a certificate is refused"],
  timeout: ["request_timeout", "it took too long"],
  unreachable: ["network_unreachable", "can't reach it. Check its name, DNS, firewalls"],
};

/** The error for a failure on the wire, by its class, told as an event; any other error as it is. */
export function wireError(
  error: unknown,
  endpoint: EndpointName,
  { correlationId, emit }: Pick<AcquisitionContext, "correlationId" | "emit">,
): unknown {
  if (!(error instanceof TransportError)) return error;
  const { verdict } = error;
  emit({ type: "failure", endpoint, ...verdict });
  const [code, advice] = MEANING[verdict.class];
  const alert = verdict.alert === undefined ? "" : ` (TLS alert: ${verdict.alert})`;
  return new KeyboundError(code, `Request to the ${endpoint} endpoint: ${advice}${alert}.`, {
    cause: error,
    retryable: code !== "tls_server_untrusted",
    correlationId,
    source: endpoint === "resource" ? "Resource" : "TokenEndpoint",
  });
}
