/**
 * The port for attesting KeyGuard keys (protocol.md section 5).
 *
 * @module
 */

import { KeyboundError } from "./errors.ts";
import type { SigningKey } from "./keys.ts";
import { raceSignal } from "./single_flight.ts";

/** What an attestor is asked. */
export interface AttestationRequest {
  /** Absolute URL of the attestation service, from the platform's metadata. */
  readonly endpoint: string;
  /** The KeyGuard key to attest; its `id` is the key's name. */
  readonly key: SigningKey;
  /** Client id of the identity, from the platform's metadata. */
  readonly clientId: string;
  /** Ends the wait. */
  readonly signal?: AbortSignal | undefined;
}

/** Gets a statement (JWT) that a key is VBS-isolated. */
export interface Attestor {
  /** Name, for messages. */
  readonly name: string;
  /**
   * The attestation JWT; a blank one or `undefined` counts as a failure. Called for each
   * certificate that is asked for: `cachingAttestor` spares the service.
   */
  attest(request: AttestationRequest): Promise<string | undefined>;
}

/**
 * A JWT from the attestor, or no way on (healing rule 7).
 *
 * Rejects with `attestation_failed` when the attestor gives none or fails, with its own error if
 * that is a `KeyboundError` or a cancellation.
 */
export async function attestationToken(
  attestor: Attestor,
  request: AttestationRequest,
): Promise<string> {
  let cause: unknown;
  try {
    const token = await raceSignal(attestor.attest(request), request.signal);
    if (token?.trim()) return token;
  } catch (error) {
    request.signal?.throwIfAborted();
    const isFinal = error instanceof KeyboundError || (error as Error)?.name === "AbortError";
    if (isFinal) throw error;
    cause = error;
  }
  throw new KeyboundError("attestation_failed", `Attestor '${attestor.name}' gave no token.`, {
    cause,
  });
}
