/**
 * What callers may set of every transport over `node:https`. Without a type of Node in it, so that
 * those who only set options need none.
 *
 * @module
 */

import type { Clock } from "../../src/clock.ts";

/** Options that all such transports have. */
export interface HttpsTransportOptions {
  /** How many credentials have connections and key material held for them. @default 50 */
  maxCredentials?: number;
  /** Milliseconds until an idle connection is closed. @default 15000 */
  keepAliveTimeout?: number;
  /** Milliseconds from the start of a request to a secure connection. @default 30000 */
  connectTimeout?: number;
  /** Time. @default the runtime's */
  clock?: Clock;
}
