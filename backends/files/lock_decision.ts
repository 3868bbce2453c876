/**
 * What to do about a lock, decided from what was seen of its token.
 *
 * @module
 */

import type { Liveness } from "./lock_owner.ts";

/** How often a holder touches its token, milliseconds. */
export const HEARTBEAT = 5_000;

/** Age of the last heartbeat from which a holder of unknown fate passes for dead, milliseconds. */
export const STALE = 30_000;

/**
 * How long a waiter must have seen no heartbeat itself, milliseconds. After a host was suspended
 * every heartbeat is old, and a living holder needs one interval to give the next.
 */
export const WATCH: number = HEARTBEAT + 1_000;

/** A token as a directory listing showed it. */
export interface TokenSight {
  /** Its name, which nobody else's token ever has. */
  readonly token: string;
  /** Whether this is the waiter's own: it was put, and the answer got lost. */
  readonly mine: boolean;
  /** Whether its holder lives. */
  readonly liveness: Liveness;
  /** Last heartbeat, milliseconds since the Unix epoch. */
  readonly touched: number;
}

/** A heartbeat that a waiter saw, and when it first saw this one. */
export interface Watch {
  readonly token: string;
  readonly touched: number;
  readonly since: number;
}

/** The next step of a waiter. */
export type LockStep =
  /** The lock is the waiter's. */
  | { readonly step: "enter" }
  /** The lock seems free: try to put one's token. */
  | { readonly step: "put" }
  /** The holder is dead: remove its token and look again. */
  | { readonly step: "remove"; readonly token: string }
  /** Look again later. */
  | { readonly step: "wait"; readonly watch: Watch };

/**
 * The next step. A listing may be out of date in any way when the step is taken; none does harm
 * then, since a token is put only where there is none and removed only under its own name.
 */
export function decide(
  sight: TokenSight | undefined,
  watch: Watch | undefined,
  now: number,
): LockStep {
  if (sight === undefined) return { step: "put" };
  const { token, mine, liveness, touched } = sight;
  if (mine) return { step: "enter" };
  if (liveness === "dead") return { step: "remove", token };
  const unchanged = watch?.token === token && watch.touched === touched;
  const since = unchanged ? watch.since : now;
  // A heartbeat from the future is no sign of life either: the clock was set back.
  const isStale = Math.abs(now - touched) >= STALE && now - since >= WATCH;
  if (liveness === "unknown" && isStale) return { step: "remove", token };
  return { step: "wait", watch: { token, touched, since } };
}
