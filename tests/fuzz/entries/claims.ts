/**
 * Claims: texts, one a line, merged into one.
 *
 * @module
 */

import assert from "node:assert/strict";
import { mergeClaims } from "../../../src/token/claims.ts";
import { readOrRefuse, textOf } from "../support/entry.ts";

/** What is merged is a JSON object with the names of all; merging changes nothing else. */
export function fuzz(data: Uint8Array): void {
  const texts = textOf(data).split("\n").slice(0, 4);
  const merged = readOrRefuse(["invalid_json_claims_format"], () => mergeClaims(["cp1"], ...texts));
  assert.equal(Object.getPrototypeOf({}), Object.prototype);
  assert.deepEqual(Object.keys(Object.prototype), [], "the prototype of all objects was changed");
  if (merged === undefined) return;
  const names = new Set(Object.keys(JSON.parse(merged)));
  assert.ok(names.has("access_token"));
  for (const text of texts) for (const name of Object.keys(JSON.parse(text))) names.delete(name);
  names.delete("access_token");
  assert.deepEqual([...names], [], "names from nowhere");
}

/** Parts of claims. */
export const tokens: readonly string[] = [
  "{",
  "}",
  "[",
  '{"a":',
  '{"access_token":{"xms_cc":{"values":["cp2"]}}}',
  '{"__proto__":{"polluted":true}}',
  '{"constructor":{"prototype":{"polluted":true}}}',
  "\n",
  "null",
  "\\u0000",
];

/** Deep nesting is followed until the stack is full. */
export const cost = 4;
