/**
 * Times that servers write: `Retry-After` and the expiry of a token.
 *
 * @module
 */

import assert from "node:assert/strict";
import { MAX_RETRY_AFTER, parseRetryAfter, throttledUntil } from "../../../src/policy/retry.ts";
import { parseExpiry } from "../../../src/sources/expiry.ts";
import { NOW } from "../support/answers.ts";
import { latin1 } from "../support/entry.ts";

/** A wait is within its bounds, an expiry a time that a date can hold. */
export function fuzz(data: Uint8Array): void {
  const text = latin1(data);
  const wait = parseRetryAfter(text, NOW);
  assert.ok(wait === undefined || (wait >= 0 && wait <= MAX_RETRY_AFTER), `${wait} ms`);
  const until = throttledUntil(429, wait, NOW) ?? NOW;
  assert.ok(until >= NOW && until <= NOW + MAX_RETRY_AFTER);
  for (const value of [text, Number(text)]) {
    const expiry = parseExpiry(value, NOW);
    assert.ok(expiry === undefined || (Number.isFinite(expiry) && Math.abs(expiry) < 1e18));
  }
  const date = text.trim();
  const expiry = parseExpiry(text, NOW);
  // The form that ECMAScript has a meaning for.
  if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(date) && expiry !== undefined) {
    assert.equal(expiry, Date.parse(date));
  }
}

/** Parts of dates. */
export const tokens: readonly string[] = [
  "GMT",
  "Z",
  "T",
  "+14:00",
  "-",
  ":",
  "1893459600",
  "Tue, 01 Jan 2030 00:00:30 GMT",
  "2030-02-29",
  ",999999999",
];
