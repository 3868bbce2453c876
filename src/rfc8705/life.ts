/**
 * How long a token is served and when its successor is fetched. Authorization servers give tokens
 * of minutes as well as of days, so both go by the token's own life.
 *
 * @module
 */

import { EXPIRY_MARGIN } from "../policy/token_life.ts";

/** A token's life, in milliseconds since the Unix epoch, and the server's advice. */
export interface GrantedLife {
  /** When it was received. */
  readonly receivedOn: number;
  /** Its end. */
  readonly expiresOn: number;
  /** End of the certificate it is bound to. */
  readonly certificateEnd: number;
  /** Milliseconds after which the server wants it refreshed. */
  readonly refreshIn?: number | undefined;
}

/** When a token is refreshed and from when it isn't served; in milliseconds since the Unix epoch. */
export interface ServedLife {
  /** Before any jitter. */
  readonly refreshOn: number;
  /** Not later than its own end and its certificate's, with a margin. */
  readonly staleAt: number;
}

/**
 * The margin is a tenth of the token's life, at most 5 minutes; the refresh is due when three
 * quarters of the time it is served have gone by, or when the server says.
 */
export function servedLife(
  { receivedOn, expiresOn, certificateEnd, refreshIn }: GrantedLife,
): ServedLife {
  const margin = Math.min(EXPIRY_MARGIN, (expiresOn - receivedOn) / 10);
  const staleAt = Math.min(expiresOn, certificateEnd) - margin;
  const served = staleAt - receivedOn;
  return { refreshOn: receivedOn + Math.min(refreshIn ?? served * 0.75, served), staleAt };
}
