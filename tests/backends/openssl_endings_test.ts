/**
 * Servers that end a TLS connection without a word after their answer is complete: no error is left
 * that nobody hears, which would end the process.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ended, startProgram, written } from "./support/child.ts";

describe("a process that uses opensslTransport", () => {
  it("outlives connections that end after a complete answer", async () => {
    const program = startProgram(new URL("./support/endings_main.ts", import.meta.url), []);
    await written(program, "alive");
    assert.equal(await ended(program), 0);
  });
});
