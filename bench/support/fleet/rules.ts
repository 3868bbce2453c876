/**
 * When a fleet's clients renew and repeat: by this library's rules, and by the plain one.
 *
 * @module
 */

import { hasLifeLeft, renewalTime, type Validity } from "../../../src/policy/renewal.ts";
import { imdsPolicy, retryDelay } from "../../../src/policy/retry.ts";
import {
  jitteredRefresh,
  refreshTime,
  type TokenLifetime,
} from "../../../src/policy/token_life.ts";

/** The rules of one fleet. `random` is in [0, 1), times are milliseconds since the start. */
export interface FleetRules {
  /** What they are called in the figures. */
  readonly name: string;
  /** Whether a certificate is still used. */
  isUsable(validity: Validity, now: number): boolean;
  /** From when a certificate is to be renewed. */
  renewAt(validity: Validity, random: number): number;
  /** From when a token is to be refreshed. */
  refreshAt(life: TokenLifetime, random: number): number;
  /** After how many milliseconds a failed request for a certificate is repeated, if it is. */
  retryAfter(failures: number, random: number): number | undefined;
  /** Whether a renewal happens when it is due, or when the next token is asked for after that. */
  readonly onTime: boolean;
}

const DAY = 24 * 3_600_000;
const FAILED = { status: 503 };

function retryAfter(failures: number, random: number): number | undefined {
  return retryDelay(imdsPolicy, Array.from({ length: failures }, () => FAILED), random);
}

/** This library's. */
export const OURS: FleetRules = {
  name: "keybound",
  isUsable: hasLifeLeft,
  renewAt: renewalTime,
  refreshAt: (life, random) => jitteredRefresh(refreshTime(life)!, life.receivedOn, random),
  retryAfter,
  onTime: false,
};

/** This library's, if a renewal didn't wait for the next token to be asked for. */
export const OURS_ON_TIME: FleetRules = { ...OURS, name: "keybound, by a timer", onTime: true };

/** A certificate is renewed a day before its end, a token in the middle of its life, all to the second. */
export const FIXED: FleetRules = {
  name: "24 h before expiry",
  isUsable: ({ notAfter }, now) => now < notAfter,
  renewAt: ({ notAfter }) => notAfter - DAY,
  refreshAt: (life) => refreshTime(life)!,
  retryAfter: (failures) => retryAfter(failures, 0),
  onTime: false,
};
