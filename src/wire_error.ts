/**
 * A failure on the wire as callers see it: a code by its class, and what to do.
 *
 * @module
 */

import { type ErrorCode, KeyboundError } from "./errors.ts";
import type { EndpointName } from "./events.ts";
import type { AcquisitionContext } from "./imds/request.ts";
import { classifyFailure, type FailureClass } from "./policy/failure.ts";
import { TransportError } from "./transports.ts";

const MEANING: Readonly<Record<FailureClass, readonly [code: ErrorCode, advice: string]>> = {
  aborted: ["transport_failed", "the runtime aborted the request."],
  credential_rejected: ["tls_credential_rejected", "the server rejected the client certificate."],
  peer_reset: [
    "connection_reset",
    "the connection was reset while it was in use. Try again.",
  ],
  protocol: [
    "tls_protocol_error",
    "the peer doesn't speak TLS or HTTP as it should. Check the endpoint and any proxy before it.",
  ],
  server_untrusted: [
    "tls_server_untrusted",
    "the server's certificate can't be verified. Check its host name, its CA and this host's clock.",
  ],
  suspect: [
    "tls_credential_suspect",
    "the connection ended before any answer, which is how many servers refuse a client certificate.",
  ],
  timeout: ["request_timeout", "it took too long. Check that the endpoint is reachable."],
  unreachable: [
    "network_unreachable",
    "the endpoint can't be reached. Check its name, DNS and firewalls.",
  ],
};

/** The error for a failure on the wire, by its class, told as an event; any other error as it is. */
export function wireError(
  error: unknown,
  endpoint: EndpointName,
  { correlationId, emit }: Pick<AcquisitionContext, "correlationId" | "emit">,
): unknown {
  if (!(error instanceof TransportError)) return error;
  const verdict = classifyFailure(error.failure);
  emit({ type: "failure", endpoint, ...verdict });
  const [code, advice] = MEANING[verdict.class];
  const alert = verdict.alert === undefined ? "" : ` (TLS alert: ${verdict.alert})`;
  return new KeyboundError(code, `Request to the ${endpoint} endpoint: ${advice}${alert}`, {
    cause: error,
    retryable: code !== "tls_server_untrusted",
    correlationId,
    source: endpoint === "resource" ? "Resource" : "TokenEndpoint",
  });
}
