/**
 * How long a certificate is used and when its successor is made (design: healing rule 6).
 *
 * @module
 */

/** A certificate's validity, in milliseconds since the Unix epoch. */
export interface Validity {
  /** Start. */
  readonly notBefore: number;
  /** End. */
  readonly notAfter: number;
}

/** How far clocks may differ before a certificate counts as not yet valid, in milliseconds. */
export const CLOCK_SKEW: number = 5 * 60_000;

/** Pause between attempts at a renewal that fails, in milliseconds. */
export const RENEWAL_PAUSE: number = 5 * 60_000;

const DAY = 24 * 3_600_000;

/**
 * The moment from which a successor is made in the background: half of the certificate's life,
 * give or take a tenth of it. `random` is in [0, 1).
 */
export function renewalTime({ notBefore, notAfter }: Validity, random: number): number {
  const life = notAfter - notBefore;
  return notBefore + life * (0.4 + 0.2 * random);
}

/** The life a certificate must have left to be taken from a cache: a quarter of it, at most 24 h. */
export function minimumLifeLeft({ notBefore, notAfter }: Validity): number {
  return Math.min(DAY, (notAfter - notBefore) / 4);
}

/** Whether a cached certificate may still be used. Exactly the minimum left is too little. */
export function hasLifeLeft(validity: Validity, now: number): boolean {
  return validity.notAfter - now > minimumLifeLeft(validity) && isInForce(validity, now);
}

/** Whether a certificate is valid at this moment, clock skew at its start allowed for. */
export function isInForce({ notBefore, notAfter }: Validity, now: number): boolean {
  return now < notAfter && now >= notBefore - CLOCK_SKEW;
}
