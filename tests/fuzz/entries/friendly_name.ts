/**
 * Friendly names of certificates in a Windows store, which other programs write as well.
 *
 * @module
 */

import assert from "node:assert/strict";
import { decodeFriendlyName, encodeFriendlyName } from "../../../backends/windows/friendly_name.ts";
import { fromWide } from "../../../backends/ffi/wide_text.ts";
import { textOf } from "../support/entry.ts";

/** A name that is read says the same once it is written anew, unless it can't be written. */
export function fuzz(data: Uint8Array): void {
  for (const text of [textOf(data), fromWide(data)]) {
    const name = decodeFriendlyName(text);
    if (name === undefined) continue;
    assert.ok(text.startsWith("MSAL|"));
    assert.ok(name.alias !== "" && name.endpoint !== "");
    assert.ok(!`${name.alias}${name.endpoint}`.includes("|"));
    const written = encodeFriendlyName(name);
    if (written === undefined) assert.match(`${name.alias}${name.endpoint}`, /[\r\n\0]/);
    else assert.deepEqual(decodeFriendlyName(written), name);
  }
}

/** Its parts. */
export const tokens: readonly string[] = [
  "MSAL|",
  "|alias=",
  "|ep=",
  "#att=1",
  "=",
  "|",
  "\r\n",
  "\0",
];
