/**
 * Bodies of refusals, of which a part ends up in messages and logs.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describeErrorBody, scrub } from "../../../src/scrub.ts";
import { ANSWER_TOKENS } from "../support/answers.ts";
import { textOf } from "../support/entry.ts";

/** What is passed on is short, in one line, and holds nothing that looks like a token. */
export function fuzz(data: Uint8Array): void {
  const text = textOf(data);
  for (const said of [scrub(text), describeErrorBody(text)]) {
    assert.ok(said.length <= 600, `${said.length} letters`);
    assert.doesNotMatch(said, /\p{Cc}/u);
    assert.doesNotMatch(said, /[A-Za-z0-9+/_-]{64}/);
    assert.doesNotMatch(said, /[\w-]{16}\.[\w-]/);
    assert.equal(scrub(said), said, "scrubbing has more to take away");
  }
}

/** Names of what is passed on. */
export const tokens: readonly string[] = [...ANSWER_TOKENS, '"message":"', '"code":"', "redacted"];
