/**
 * Requests to the metadata service.
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { KeyboundError } from "../errors.ts";
import type { Emit, EndpointName } from "../events.ts";
import { type Answer, exchange } from "../http.ts";
import { imdsPolicy, type RetryPolicy } from "../policy/retry.ts";

/** What requests to the metadata service need. */
export interface MetadataService {
  /** Scheme, host and port. */
  readonly base: string;
  /** Plain fetch. */
  readonly fetch: typeof globalThis.fetch;
  /** Time. */
  readonly clock: Clock;
  /** Randomness in [0, 1). */
  readonly random: () => number;
  /** Milliseconds for one attempt. */
  readonly metadataTimeout: number;
}

/** What all requests of one acquisition share. */
export interface AcquisitionContext {
  /** UUID on every request, repetitions and re-mints included (protocol.md section 9.2). */
  readonly correlationId: string;
  /** Reports events. */
  readonly emit: Emit;
  /** Ends the acquisition. */
  readonly signal?: AbortSignal;
}

/**
 * The answer of the metadata service, whatever its status.
 *
 * Rejects with `managed_identity_request_failed` when it can't be reached, `request_timeout`,
 * `response_too_large`, `redirect_refused`, or the signal's reason.
 */
export async function askMetadataService(
  service: MetadataService,
  endpoint: EndpointName,
  url: string,
  init: RequestInit,
  policy: RetryPolicy,
  context: AcquisitionContext,
): Promise<Answer> {
  const { correlationId, emit, signal } = context;
  const headers = {
    Metadata: "true",
    "x-ms-client-request-id": correlationId,
    Accept: "application/json",
    ...init.headers,
  };
  try {
    return await exchange(
      (attemptSignal) =>
        service.fetch(url, { ...init, headers, redirect: "manual", signal: attemptSignal }),
      {
        policy,
        timeout: service.metadataTimeout,
        clock: service.clock,
        random: service.random,
        signal,
        onRetry: (retry) => emit({ type: "retry", endpoint, ...retry }),
      },
    );
  } catch (error) {
    signal?.throwIfAborted();
    const known = error instanceof KeyboundError ? error : undefined;
    const reason = known?.message ?? "no connection. Does this host have a managed identity?";
    throw new KeyboundError(
      known?.code ?? "managed_identity_request_failed",
      `[Imds] ${endpoint}: ${reason}`,
      {
        cause: error,
        retryable: known?.retryable ?? true,
        status: known?.status,
        correlationId,
        source: "Imds",
      },
    );
  }
}

/** The error for an answer that is refused: `managed_identity_request_failed`. */
export function metadataServiceError(
  endpoint: EndpointName,
  answer: Answer,
  reason: string,
  correlationId: string,
): KeyboundError {
  return new KeyboundError(
    "managed_identity_request_failed",
    `[Imds] ${endpoint} (HTTP ${answer.status}): ${reason}`,
    {
      status: answer.status,
      retryable: imdsPolicy.statuses(answer.status),
      correlationId,
      source: "Imds",
      retryAfter: answer.retryAfter,
    },
  );
}
