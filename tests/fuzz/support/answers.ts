/**
 * HTTP answers made from fuzzed bytes: the first line says the status and, after a blank, what stands
 * in the header that the entry looks at; the rest is the body.
 *
 * @module
 */

import type { Clock } from "../../../src/clock.ts";
import type { Answer } from "../../../src/http.ts";
import { latin1, textOf } from "./entry.ts";

/** The time of the inputs that are kept, milliseconds since the Unix epoch. */
export const NOW: number = Date.UTC(2030, 0, 1);

/** A timeout that never runs out on {@linkcode INSTANT}, milliseconds. */
export const NO_TIMEOUT = 1e9;

/** A clock on which pauses take no time and timeouts never run out. */
export const INSTANT: Clock = {
  now: () => NOW,
  sleep: (ms) => ms < NO_TIMEOUT ? Promise.resolve() : new Promise(() => {}),
};

/** Words of first lines and of JSON. */
export const ANSWER_TOKENS: readonly string[] = [
  "200\n",
  "400\n",
  "401\n",
  "404\n",
  "429\n",
  "500\n",
  "503\n",
  '{"error":"invalid_client"}',
  '"error":',
  '"error_description":',
  "null",
  "true",
  "[",
  "]",
  "{",
  "}",
  '"',
  "\\u0000",
  "\\ud800",
  "__proto__",
  "https://",
  "eyJhbGciOiJub25lIn0.eyJhdWQiOiJhIn0.c2lnbmF0dXJlLXRoYXQtaXMtbm9uZQ",
];

/** An answer whose body is left to whoever reads it. */
export interface FuzzedAnswer extends Answer {
  /** What follows the status in the first line. */
  readonly header: string;
}

/** The answer that these bytes say. */
export function answerOf(data: Uint8Array): FuzzedAnswer {
  const end = data.indexOf(0x0a);
  const [first, body] = end < 0 ? ["200", data] : [
    latin1(data.subarray(0, end)),
    data.subarray(end + 1),
  ];
  const [, digits = "200", header = ""] = /^([2-5]\d\d)(?: ([\x20-\x7e]*))?$/.exec(first) ?? [];
  return {
    status: Number(digits),
    header,
    headers: new Headers(),
    text: textOf(body),
    retryAfter: undefined,
  };
}
