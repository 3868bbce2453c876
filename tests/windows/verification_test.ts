/**
 * How a verification on Windows tells of its checks.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StatusError } from "../../backends/windows/status.ts";
import { KeyboundError } from "../../src/errors.ts";
import {
  explain,
  type Finding,
  Impossible,
  type Line,
  Verification,
} from "./verify/verification.ts";

function verification(hidden: readonly string[] = []) {
  const lines: Line[] = [];
  const findings = () =>
    lines.flatMap((line): Finding[] => "finding" in line ? [line.finding] : []);
  return { lines, findings, made: new Verification((line) => lines.push(line), hidden) };
}

describe("a verification", () => {
  it("tells of a check before it begins and when it is over", async () => {
    const { made, lines } = verification();
    await made.section("Keys", async () => {
      await made.check("one", () => {
        assert.deepEqual(lines, [{ begin: { section: "Keys", check: "one" } }]);
        return Promise.resolve("seen");
      });
    });
    assert.equal(lines.length, 2);
  });

  it("has an outcome for each: failed, not possible here, ok", async () => {
    const { made, findings } = verification();
    const results = [
      await made.check("one", () => Promise.reject(new Error("broken"))),
      await made.check("two", () => Promise.reject(new Impossible("no TPM"))),
      await made.check("three", () => Promise.resolve("seen")),
    ];
    assert.deepEqual(results, [false, false, true]);
    assert.deepEqual(findings().map(({ outcome, detail }) => [outcome, detail]), [
      ["failed", "Error: broken"],
      ["impossible", "no TPM"],
      ["ok", "seen"],
    ]);
  });

  it("goes on after a section that can't", async () => {
    const { made, findings } = verification();
    await made.section("Keys", () => Promise.reject(new Error("no server")));
    assert.deepEqual(findings().map(({ section, outcome }) => [section, outcome]), [
      ["Keys", "failed"],
    ]);
  });

  it("names nobody, in whatever case, the longest name first", async () => {
    const { made, findings, lines } = verification(["C:\\Users\\ann.b", "ann.b", "", "pc"]);
    made.facts({ Windows: "of ANN.B" });
    await made.check("one", () => Promise.resolve("in c:\\users\\ANN.B\\x by ann.b, annxb, pc"));
    assert.equal(findings()[0]!.detail, "in …\\x by …, annxb, pc");
    assert.deepEqual(lines[0], { facts: { Windows: "of …" } });
  });
});

describe("an explanation", () => {
  it("has codes and statuses of an error and its causes", () => {
    const cause = new StatusError("NCryptOpenKey", 0x80090016);
    const error = new KeyboundError("key_unusable", "The key\nis gone.", { cause });
    const status = "NCryptOpenKey returned NTE_BAD_KEYSET (0x80090016).";
    assert.equal(explain(error), `key_unusable: The key is gone. <- ${status}`);
  });

  it("ends with what isn't possible, and after a while", () => {
    assert.equal(explain(new Impossible("no TPM", { cause: new Error("x") })), "no TPM");
    let error = new Error("0");
    for (let i = 1; i < 10; i++) error = new Error(`${i}`, { cause: error });
    assert.equal(explain(error).split(" <- ").length, 4);
  });
});
