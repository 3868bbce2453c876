/**
 * When a binding must prove itself, and when a failure is reason to make a new one (design:
 * healing rules 1 to 5).
 *
 * @module
 */

import type { ErrorCode } from "../errors.ts";

/** Age from which a proof of the key no longer counts, in milliseconds. */
export const PROBE_INTERVAL: number = 5 * 60_000;

/** Pause between two re-mints of one alias, in milliseconds. */
export const REMINT_COOLDOWN: number = 60_000;

/** What made a binding suspect. */
export type HealCause = "credential_rejected" | "connection_reset" | "invalid_client" | "key_dead";

/**
 * Whether a failed request speaks against the binding, and how; where the key was gone in the
 * handshake, the transport says so. Everything else (429, 5xx, timeouts, an unreachable or untrusted
 * server) is never a reason to throw a certificate away.
 */
export function healCause(code: ErrorCode): HealCause | undefined {
  switch (code) {
    case "invalid_client":
      return "invalid_client";
    case "tls_credential_rejected":
      return "credential_rejected";
    case "tls_credential_suspect":
      return "connection_reset";
    case "key_unusable":
      return "key_dead";
    default:
      return undefined;
  }
}

/** Whether the key must sign again before the binding goes on the wire. */
export function isProbeDue(provedAt: number, now: number, interval: number): boolean {
  return now - provedAt > interval || now < provedAt;
}

/** When an alias was last re-minted, apart by what caused it; milliseconds since the epoch. */
export interface RemintHistory {
  /** Because a failed signature proved the key dead. Nobody on the wire can bring this about. */
  readonly probe?: number;
  /** Because of what came over the wire, which an attacker may have sent. */
  readonly wire?: number;
}

/**
 * Whether another re-mint is allowed. Each kind of cause has a cool-down of its own, so that an
 * attacker who resets connections can't keep a really dead key from being replaced.
 */
export function mayRemint(
  history: RemintHistory,
  cause: HealCause,
  now: number,
  cooldown: number,
): boolean {
  const last = cause === "key_dead" ? history.probe : history.wire;
  return last === undefined || now - last >= cooldown || now < last;
}

/** The history after a re-mint for this cause. */
export function remembered(history: RemintHistory, cause: HealCause, now: number): RemintHistory {
  return cause === "key_dead" ? { ...history, probe: now } : { ...history, wire: now };
}
