/**
 * Whether a regular expression could take time that grows faster than its input's square: one that
 * repeats without bound what is itself repeated without bound.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { sources } from "../package/support/project.ts";
import { tokens } from "../package/support/tokens.ts";

/** Whether a group is repeated without bound that holds something repeated without bound. */
function nestedRepetition(pattern: string): boolean {
  const text = pattern.replace(/\\./g, "x").replace(/\[[^\]]*\]/g, "x");
  /** For each open group, whether something in it is repeated without bound. */
  const open: boolean[] = [];
  for (let at = 0; at < text.length; at++) {
    if (text[at] === "(") {
      open.push(false);
      // The rest of `(?:`, `(?<name>` and `(?!` repeats nothing.
      if (text[at + 1] === "?") at++;
      continue;
    }
    const isUnbounded = /^(?:[*+]|\{\d+,\})/.test(text.slice(at + 1));
    if (text[at] === ")") {
      const repeats = open.pop() ?? false;
      if (repeats && isUnbounded) return true;
      if ((repeats || isUnbounded) && open.length > 0) open[open.length - 1] = true;
    } else if (isUnbounded && open.length > 0) open[open.length - 1] = true;
  }
  return false;
}

/** Where the inner repetition begins with a separator that it doesn't hold: one way to match. */
const SEPARATED: ReadonlySet<string> = new Set(["src/rfc8705/query.ts", "src/x509/der_writer.ts"]);

describe("the regular expressions", () => {
  const found = [
    ...sources(["mod.ts", "src", "backends", "plugins", "resource", "cli", "emulator"]),
  ]
    .flatMap(([path, source]) =>
      tokens(source).filter(({ kind }) => kind === "regex").map(({ text }) => [path, text] as const)
    );

  it("are found", () => assert.ok(found.length > 100));

  it("repeat nothing without bound that is repeated without bound", () => {
    const nested = found.filter(([, text]) => nestedRepetition(text)).map(([path]) => path);
    assert.deepEqual(new Set(nested), SEPARATED);
    assert.equal(nested.length, SEPARATED.size);
  });

  it("would be noticed", () => {
    for (const bad of ["(a+)+$", "(?:a*b?)*", "((?:x|y+)z?){2,}", "^(\\w+\\s?)*$"]) {
      assert.equal(nestedRepetition(bad), true, bad);
    }
    for (
      const good of ["(ab)+", "(?:a{1,3})*", "[*+]+", "(\\()+", "a+(b)*", "(?:[^\\\\]|\\\\.)*"]
    ) {
      assert.equal(nestedRepetition(good), false, good);
    }
  });
});
