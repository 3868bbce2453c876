/**
 * How long a token is served from memory and when it is refreshed.
 *
 * @module
 */

/** A token is not served with less than this left, in milliseconds (protocol.md section 6.7). */
export const EXPIRY_MARGIN: number = 5 * 60_000;

/** Pause between attempts at a refresh that fails, in milliseconds. */
export const REFRESH_PAUSE: number = 60_000;

/** How far a refresh may be moved either way, so that hosts don't march in step, in milliseconds. */
const REFRESH_JITTER = 5 * 60_000;

/** Without the server's advice, tokens that live longer than this are refreshed at half-life. */
const HALF_LIFE_THRESHOLD = 2 * 3_600_000;

/** A token's times as the server gave them, in milliseconds. */
export interface TokenLifetime {
  /** When it was received, since the Unix epoch. */
  readonly receivedOn: number;
  /** Its life from then. */
  readonly expiresIn: number;
  /** The server's advice when to refresh it, from then. */
  readonly refreshIn?: number | undefined;
}

/** The moment from which a token is refreshed in the background, before any jitter. */
export function refreshTime(
  { receivedOn, expiresIn, refreshIn }: TokenLifetime,
): number | undefined {
  if (refreshIn !== undefined) return receivedOn + Math.min(refreshIn, expiresIn);
  return expiresIn > HALF_LIFE_THRESHOLD ? receivedOn + expiresIn / 2 : undefined;
}

/** `refreshOn` moved by at most 5 minutes or a tenth of the wait, whichever is less. */
export function jitteredRefresh(refreshOn: number, receivedOn: number, random: number): number {
  const reach = Math.min(REFRESH_JITTER, (refreshOn - receivedOn) / 10);
  return refreshOn + reach * (2 * random - 1);
}
