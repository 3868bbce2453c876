/**
 * Shapes shared by the schemas of messages from outside.
 *
 * @module
 */

import * as v from "valibot";

/** A tenant, client or machine id: printable, without anything that means something in a URL. */
export const Identifier: v.GenericSchema<string> = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9._-]{1,128}$/),
);

/** Seconds as a number or a numeric string; 0 to ten years. */
export const Seconds: v.GenericSchema<number | string, number> = v.pipe(
  v.union([v.number(), v.pipe(v.string(), v.regex(/^\d{1,10}$/), v.transform(Number))]),
  v.integer(),
  v.minValue(0),
  v.maxValue(315_360_000),
);

/**
 * An https URL that requests can be built on: no user, query or fragment. Trailing slashes go.
 * At most 2048 characters.
 */
export const HttpsBase: v.GenericSchema<string> = v.pipe(
  v.string(),
  v.maxLength(2048),
  v.check((text) => {
    const url = parseUrl(text);
    return url?.protocol === "https:" && url.hostname !== "" && !url.username && !url.password &&
      !/[?#\s|]/.test(text);
  }),
  v.transform((text) => text.replace(/\/+$/, "")),
);

/** The URL, or `undefined` for text that isn't an absolute one or holds control characters. */
export function parseUrl(text: string): URL | undefined {
  if (/\p{Cc}/u.test(text)) return undefined;
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

/** The parsed value, or `undefined` for text that isn't JSON or doesn't have the shape. */
export function parseJson<T>(schema: v.GenericSchema<unknown, T>, text: string): T | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const result = v.safeParse(schema, json);
  return result.success ? result.output : undefined;
}
