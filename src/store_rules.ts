/**
 * What every certificate store decides alike (the port: `stores.ts`; protocol.md section 3.4).
 *
 * @module
 */

import * as v from "valibot";
import { KeyboundError } from "./errors.ts";
import { HttpsBase, Identifier } from "./parse.ts";
import type { StoredBinding } from "./stores.ts";

/** Longest alias, UTF-16 code units. */
export const MAX_ALIAS_LENGTH = 2048;

/** Something that expires. */
export interface Expiring {
  /** When, milliseconds since the Unix epoch. */
  readonly notAfter: number;
}

/**
 * Throws `invalid_argument` for an alias that is blank, longer than 2048 characters or holds `|`,
 * CR, LF or NUL.
 */
export function assertAlias(alias: string): void {
  const fits = typeof alias === "string" && alias.trim() !== "" &&
    alias.length <= MAX_ALIAS_LENGTH && !/[|\r\n\0]/.test(alias);
  if (fits) return;
  throw new KeyboundError(
    "invalid_argument",
    `An alias is 1 to ${MAX_ALIAS_LENGTH} characters, not all blank, without '|', CR, LF and NUL.`,
  );
}

/**
 * Throws `invalid_argument` for an endpoint that isn't an https URL to build on or a client id that
 * isn't an identifier: what no store could give back as a usable binding.
 */
export function assertStorable({ endpoint, clientId }: StoredBinding): void {
  if (!v.is(HttpsBase, endpoint)) {
    throw new KeyboundError(
      "invalid_argument",
      "A stored binding needs the https base URL of its token endpoint, without query and fragment.",
    );
  }
  if (!v.is(Identifier, clientId)) {
    throw new KeyboundError(
      "invalid_argument",
      "A stored binding needs the client id that its certificate was issued for.",
    );
  }
}

/** Whether a certificate may no longer be given out. The moment it ends it has expired. */
export function isExpired({ notAfter }: Expiring, now: number): boolean {
  return notAfter <= now;
}

/** What is in force, the one that expires last first. */
export function newestFirst<T extends Expiring>(entries: readonly T[], now: number): T[] {
  return entries.filter((entry) => !isExpired(entry, now)).sort((a, b) => b.notAfter - a.notAfter);
}

/** Whether `candidate` is in force and outlasts all the entries there are: else it isn't added. */
export function isWorthAdding(
  candidate: Expiring,
  entries: readonly Expiring[],
  now: number,
): boolean {
  return !isExpired(candidate, now) && entries.every((e) => e.notAfter < candidate.notAfter);
}
