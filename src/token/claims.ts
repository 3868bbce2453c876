/**
 * Claims of a token request: server challenges, client claims and client capabilities
 * (protocol.md section 1.7).
 *
 * @module
 */

import { KeyboundError } from "../errors.ts";

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
type JsonObject = { [name: string]: Json };

/** Largest claims text, in characters. */
const MAX_CLAIMS = 32_768;

/**
 * The `claims` parameter: capabilities as `{"access_token":{"xms_cc":{"values":[...]}}}`, deeply
 * merged with the claims given. Of two scalars the later claims' wins; arrays are joined.
 * `undefined` where there is nothing to say.
 *
 * Throws `invalid_json_claims_format` for claims that aren't a JSON object, or are one so deep that
 * the runtime's stack doesn't hold it: a server's challenge may be anything.
 */
export function mergeClaims(
  capabilities: readonly string[],
  ...claims: readonly (string | undefined)[]
): string | undefined {
  const parts: JsonObject[] = capabilities.length === 0
    ? []
    : [{ access_token: { xms_cc: { values: [...capabilities] } } }];
  try {
    for (const text of claims) if (text !== undefined) parts.push(parseClaims(text));
    return parts.length === 0 ? undefined : JSON.stringify(parts.reduce(merge));
  } catch {
    throw new KeyboundError(
      "invalid_json_claims_format",
      "The claims are not a JSON object. Was the challenge decoded?",
    );
  }
}

function parseClaims(text: string): JsonObject {
  const json: unknown = text.length > MAX_CLAIMS ? undefined : JSON.parse(text);
  if (isObject(json)) return json;
  throw new TypeError();
}

/** By entries, so that a claim named `__proto__` is one like any other. */
function merge(first: JsonObject, second: JsonObject): JsonObject {
  const merged = Object.entries(second).map(([name, value]) => [
    name,
    Object.hasOwn(first, name) ? mergeValue(first[name]!, value) : value,
  ]);
  return Object.fromEntries([...Object.entries(first), ...merged]);
}

function mergeValue(first: Json, second: Json): Json {
  if (isObject(first) && isObject(second)) return merge(first, second);
  if (Array.isArray(first) && Array.isArray(second)) return [...first, ...second];
  return second;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
