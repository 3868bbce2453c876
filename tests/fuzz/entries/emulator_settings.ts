/**
 * JSON that the emulator is given: its options and changes of its state.
 *
 * @module
 */

import assert from "node:assert/strict";
import {
  changesSchema,
  check,
  optionsSchema,
  revocationSchema,
} from "../../../emulator/schemas.ts";
import { isKeyboundError } from "../../../src/errors.ts";
import { ANSWER_TOKENS } from "../support/answers.ts";
import { textOf } from "../support/entry.ts";

/** Settings are taken or refused, in a short line that names the place. */
export function fuzz(data: Uint8Array): void {
  let json: unknown;
  try {
    json = JSON.parse(textOf(data));
  } catch {
    return;
  }
  for (const schema of [optionsSchema, changesSchema, revocationSchema]) {
    try {
      check<unknown>(schema, json, "settings");
    } catch (error) {
      if (!isKeyboundError(error, "invalid_argument")) throw error;
      assert.match(error.message, /^Not understood at settings[^\p{Cc}]{0,600}$/u);
    }
  }
}

/** Names of settings. */
export const tokens: readonly string[] = [
  ...ANSWER_TOKENS,
  '"identities":',
  '"state":',
  '"clockOffset":',
  '"thumbprints":',
  '"compute":',
  ",",
];
