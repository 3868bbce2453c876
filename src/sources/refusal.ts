/**
 * Why a host gives no bound token (protocol.md section 1.8).
 *
 * @module
 */

import { type ErrorCode, KeyboundError } from "../errors.ts";
import { type KeyStrength, meetsStrength } from "../keys.ts";
import type { Capabilities } from "./source.ts";

/** Codes that say that this host can't bind tokens, whatever is tried. */
const UNSUPPORTED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "mtls_pop_not_supported_for_environment",
  "mtls_pop_token_not_supported_in_imds_v1",
  "transport_not_available",
]);

/** Whether a bound token failed because this host can't have any. */
export function isUnsupported(error: unknown): boolean {
  return error instanceof KeyboundError && UNSUPPORTED.has(error.code);
}

/**
 * The error that a bound token is refused with on a host that can do no more than this, `undefined`
 * where it may be asked for.
 */
export function boundRefusal(
  { source, boundTokens, reason = "", strength }: Capabilities,
  minStrength: KeyStrength | undefined,
  correlationId: string,
): KeyboundError | undefined {
  if (boundTokens) return undefined;
  if (source === undefined) {
    return new KeyboundError(
      "managed_identity_all_sources_unavailable",
      `This host has no managed identity, as was found out within the last minute. ${reason}`,
      { retryable: true, correlationId },
    );
  }
  const details = { correlationId, source };
  if (minStrength !== undefined && (strength === "none" || !meetsStrength(strength, minStrength))) {
    return new KeyboundError(
      "min_strength_not_met",
      `[${source}] The host's keys are '${strength}', 'minStrength' is '${minStrength}'. Use another host.`,
      details,
    );
  }
  return source === "Imds"
    ? new KeyboundError(
      "mtls_pop_token_not_supported_in_imds_v1",
      `[Imds] ${reason} Use a host with IMDSv2, or ask for 'bearer' or 'preferred'.`,
      details,
    )
    : new KeyboundError(
      "mtls_pop_not_supported_for_environment",
      `[${source}] This source issues no bound tokens. Ask for 'bearer' or 'preferred'.`,
      details,
    );
}
