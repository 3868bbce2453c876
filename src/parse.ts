/**
 * Shapes shared by the schemas of messages from outside.
 *
 * @module
 */

import * as v from "valibot";

/** Text that this pattern matches. */
export function text(pattern: RegExp): v.GenericSchema<string> {
  return v.custom<string>((value) => typeof value === "string" && pattern.test(value));
}

/** What {@linkcode fields} accepts: these fields, and others unread. */
type Fields<Schemas extends Readonly<Record<string, v.GenericSchema>>> =
  & { readonly [Name in keyof Schemas]: v.InferOutput<Schemas[Name]> }
  & Readonly<Record<string, unknown>>;

/**
 * An object with at least these fields. What valibot's `looseObject` accepts, without the list of
 * issues that nobody here reads: a thirtieth of the core.
 */
export function fields<const Schemas extends Readonly<Record<string, v.GenericSchema>>>(
  schemas: Schemas,
): v.GenericSchema<Fields<Schemas>> {
  return v.custom<Fields<Schemas>>((value) =>
    typeof value === "object" && value !== null &&
    Object.entries(schemas).every(([name, schema]) =>
      v.is(schema, (value as Record<string, unknown>)[name])
    )
  );
}

/** A tenant, client or machine id: printable, without anything that means something in a URL. */
export const Identifier: v.GenericSchema<string> = text(/^\w[\w.-]{0,127}$/);

/** A whole number of seconds, up to 30 years, as a number or a numeric string. */
export const Seconds: v.GenericSchema<number | string> = v.custom<number | string>((value) =>
  typeof value !== "object" && /^\d{1,9}$/.test(String(value))
);

/** An https URL that paths can be added to: no user, query or fragment; at most 2048 characters. */
export const HttpsBase: v.GenericSchema<string> = v.custom<string>((value) =>
  typeof value === "string" && /^[^?#@\s|]{1,2048}$/.test(value) &&
  parseUrl(value)?.protocol === "https:"
);

/** The URL, or `undefined` for text that isn't an absolute one or holds control characters. */
export function parseUrl(url: string): URL | undefined {
  if (/\p{Cc}/u.test(url)) return undefined;
  try {
    return new URL(url);
  } catch {
    return undefined;
  }
}

/** The parsed value, or `undefined` for text that isn't JSON or doesn't have the shape. */
export function parseJson<T>(schema: v.GenericSchema<T>, json: string): T | undefined {
  try {
    return parse(schema, JSON.parse(json));
  } catch {
    return undefined;
  }
}

/** The value, or `undefined` for one that doesn't have the shape. */
export function parse<T>(schema: v.GenericSchema<T>, value: unknown): T | undefined {
  return v.is(schema, value) ? value : undefined;
}
