/**
 * What holds for claims of every shape, merged with any others.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { base64, base64url, utf8 } from "../../src/encoding.ts";
import { isKeyboundError } from "../../src/errors.ts";
import { claimsChallenge } from "../../src/token/challenge.ts";
import { mergeClaims } from "../../src/token/claims.ts";

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** Names that meet often, one that JavaScript has a meaning for, and any. */
const name = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("access_token", "xms_cc", "values", "a", "__proto__") },
  { weight: 1, arbitrary: fc.string({ maxLength: 4 }) },
);
const { object } = fc.letrec<{ json: Json; object: { [name: string]: Json } }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom(null, true, 0, 1, "text"),
    fc.array(tie("json"), { maxLength: 3 }),
    tie("object"),
  ),
  // By entries, so that `__proto__` is a name like any other.
  object: fc.array(fc.tuple(name, tie("json")), { maxLength: 4 }).map((entries) =>
    Object.fromEntries(entries)
  ),
}));
const claims = object.map((value) => JSON.stringify(value));

function merged(capabilities: readonly string[], ...texts: string[]): Json {
  return JSON.parse(mergeClaims(capabilities, ...texts)!);
}

/** Merging as it is described: objects name by name, arrays joined, else the later one. */
function expected(first: Json, second: Json): Json {
  if (Array.isArray(first) && Array.isArray(second)) return first.concat(second);
  if (!isObject(first) || !isObject(second)) return second;
  const names = new Set([...Object.keys(first), ...Object.keys(second)]);
  return Object.fromEntries([...names].map((each) => {
    const [a, b] = [own(first, each), own(second, each)];
    return [each, a === undefined ? b! : b === undefined ? a : expected(a, b)];
  }));
}

function own(value: { [name: string]: Json }, each: string): Json | undefined {
  return Object.hasOwn(value, each) ? value[each] : undefined;
}

function isObject(value: Json): value is { [name: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

describe("claims of any shape", () => {
  it("are merged as is said: objects by name, arrays joined, of two others the later", () => {
    fc.assert(fc.property(claims, claims, (a, b) => {
      assert.deepEqual(merged([], a, b), expected(JSON.parse(a), JSON.parse(b)));
    }));
  });

  it("stay what they are when nothing or an empty object is merged with them", () => {
    fc.assert(fc.property(claims, (a) => {
      for (const texts of [[a], [a, "{}"], ["{}", a]]) {
        assert.deepEqual(merged([], ...texts), JSON.parse(a));
      }
    }));
  });

  it("come out the same whichever two of three are merged first", () => {
    fc.assert(fc.property(claims, claims, claims, (a, b, c) => {
      // Where an object stands against something else, the order of merging is the order of winning.
      const left = merged([], mergeClaims([], a, b)!, c);
      assert.deepEqual(left, merged([], a, b, c));
    }));
  });

  it("keep the client's capabilities, unless they say something else in their place", () => {
    const capabilities = fc.array(fc.constantFrom("cp1", "cp2", "cp3"), { minLength: 1 });
    fc.assert(fc.property(capabilities, claims, (list, a) => {
      const capable = { access_token: { xms_cc: { values: list } } };
      assert.deepEqual(merged(list, a), expected(capable, JSON.parse(a)));
    }));
  });

  it("leave the objects of this process alone", () => {
    fc.assert(fc.property(claims, claims, (a, b) => {
      merged(["cp1"], a, b);
      assert.deepEqual(Object.getOwnPropertyNames({}), []);
      assert.equal(({} as { a?: unknown }).a, undefined);
    }));
  });

  it("are refused by a code where they are nested beyond what the stack holds", () => {
    for (const [open, close] of [['{"a":', "}"], ["[", "]"]] as const) {
      for (const depth of [1000, 3000, 5000, 16_000]) {
        const deep = `{"a":${open.repeat(depth)}1${close.repeat(depth)}}`;
        try {
          assert.equal(typeof mergeClaims([], deep, deep), "string");
        } catch (error) {
          assert.ok(isKeyboundError(error, "invalid_json_claims_format"), String(error));
        }
      }
    }
  });
});

describe("a challenge for any claims", () => {
  it("gives them back as they were, in either alphabet", () => {
    const header = fc.tuple(claims, fc.constantFrom(base64, base64url), fc.boolean());
    fc.assert(fc.property(header, ([text, encode, isFirst]) => {
      const parameters = [`claims="${encode(utf8(text))}"`, 'error="insufficient_claims"'];
      const challenge = `Bearer realm="", ${
        (isFirst ? parameters : parameters.reverse()).join(", ")
      }`;
      assert.equal(claimsChallenge(challenge), text);
    }));
  });
});
