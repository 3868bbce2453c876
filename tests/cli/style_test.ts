/**
 * How results look.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { durationOf, oneOf, portNumber } from "../../cli/arguments.ts";
import { UsageError } from "../../cli/command.ts";
import { during } from "../../cli/progress.ts";
import { painter, plainText, showsColours, span, table } from "../../cli/style.ts";

describe("colours", () => {
  it("are for terminals that aren't dumb, where NO_COLOR isn't set", () => {
    assert.equal(showsColours({}, true), true);
    assert.equal(showsColours({ NO_COLOR: "" }, true), true);
    assert.equal(showsColours({}, false), false);
    assert.equal(showsColours({ NO_COLOR: "1" }, true), false);
    assert.equal(showsColours({ TERM: "dumb" }, true), false);
  });

  it("don't change the width of a column", () => {
    const rows = [[["a", "red"], "b"], ["long", "c"]] as const;
    assert.deepEqual(table(rows, painter(false)), ["a     b", "long  c"]);
    assert.deepEqual(table(rows, painter(true)), ["\x1b[31ma   \x1b[39m  b", "long  c"]);
  });
});

describe("text from elsewhere", () => {
  it("can't move the cursor or hide anything", () => {
    assert.equal(plainText("a\x1b[2Kb\r\nc\u202ed"), "a?[2Kb??c?d");
    assert.equal(plainText("…ü 1"), "…ü 1");
  });

  it("can't do so from within a table either", () => {
    const rows = [["a\x1b[31m", ["b\nc", "red"]]] as const;
    assert.deepEqual(table(rows, painter(false)), ["a?[31m  b?c"]);
  });
});

describe("a span of time", () => {
  const spans: [number, string][] = [
    [0, "0 ms"],
    [999, "999 ms"],
    [1000, "1 s"],
    [61_000, "1 min 1 s"],
    [3_600_000, "1 h"],
    [7 * 86_400_000 - 1000, "6 d 23 h"],
    [-90_000, "-1 min 30 s"],
  ];
  for (const [milliseconds, text] of spans) {
    it(`of ${milliseconds} ms is ${text}`, () => assert.equal(span(milliseconds), text));
  }
});

describe("a value", () => {
  it("that isn't what it should be is refused without being repeated", () => {
    const refusals = [
      () => durationOf("geheim", "--life"),
      () => durationOf("1.5h", "--life"),
      () => durationOf("", "--life"),
      () => portNumber("65536", "--port"),
      () => portNumber("-1", "--port"),
      () => portNumber("0x10", "--port"),
      () => oneOf("geheim", ["a", "b"], "--kind"),
    ];
    for (const refusal of refusals) {
      assert.throws(refusal, (error) => {
        assert.ok(error instanceof UsageError);
        assert.ok(!error.message.includes("geheim"));
        return true;
      });
    }
  });

  it("is a time with or without a unit", () => {
    const times = ["250", "250ms", "90s", "10m", "24h", "-7d"].map((text) => durationOf(text, "-"));
    assert.deepEqual(times, [250, 250, 90_000, 600_000, 86_400_000, -604_800_000]);
  });
});

describe("progress", () => {
  const terminal = (isTTY: boolean) => {
    const written: string[] = [];
    return { isTTY, written, write: (text: string) => void written.push(text) };
  };
  const work = () => new Promise<string>((resolve) => setTimeout(resolve, 1300, "done"));

  it("is shown on a terminal after a second, and wiped away", async () => {
    const screen = terminal(true);
    assert.equal(await during(screen, "Working", work()), "done");
    assert.deepEqual(screen.written, ["\r\x1b[2KWorking ... 1 s", "\r\x1b[2K"]);
  });

  it("isn't shown while the user is asked something", async () => {
    const screen = terminal(true);
    await during(screen, "Working", work(), () => true);
    assert.deepEqual(screen.written, []);
  });

  it("isn't shown for what is quick, and nowhere else", async () => {
    const [screen, file] = [terminal(true), terminal(false)];
    await during(screen, "Working", Promise.resolve());
    await during(file, "Working", work());
    assert.deepEqual([...screen.written, ...file.written], []);
  });
});
