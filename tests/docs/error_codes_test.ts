/**
 * docs/troubleshooting.md speaks of what there is: every error code, every check of the doctor, every
 * exit code, and nothing else.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { errorCodes } from "../../scripts/docs/error_codes.ts";
import { filesBelow, read } from "../package/support/project.ts";

const text = read("docs/troubleshooting.md");
const codes = errorCodes(read("src/errors.ts"));

/** A part of the document, from its heading to the next one of the same rank. */
function part(heading: string): string {
  const [, body = ""] = text.split(`\n## ${heading}\n`);
  return body.split("\n## ")[0]!;
}

describe("the list of error codes", () => {
  const headings = [...part("Error codes").matchAll(/^#### (\S+)$/gm)].map(([, code]) => code!);

  it("has a heading for every code of the union, and none for another", () => {
    assert.deepEqual([...headings].sort(), [...codes].sort());
  });

  it("says of each what to do, and whether to try again", () => {
    const sections = part("Error codes").split(/^#### /m).slice(1);
    const incomplete = sections.filter((section) =>
      !/^\w+\n\n\S[^]*- \*\*Usual cause:\*\* \S[^]*- \*\*What to do:\*\* \S[^]*- \*\*Retryable:\*\* (?:yes|no|sometimes: \S[^]*)\.\n/
        .test(section)
    );
    assert.deepEqual(incomplete.map((section) => section.split("\n")[0]), []);
  });

  it("is that of the union's doc comment", () => {
    const [, comment = ""] = /\/\*\*((?:(?!\*\/)[^])*)\*\/\nexport type ErrorCode/
      .exec(read("src/errors.ts")) ?? [];
    const missing = codes.filter((code) => !comment.includes(`\`${code}\``));
    assert.deepEqual(missing, []);
  });

  it("is complete for what the sources throw", () => {
    const sources = ["src", "backends", "plugins", "resource", "emulator"].flatMap(filesBelow)
      .filter((path) => path.endsWith(".ts"));
    const thrown = sources.flatMap((path) =>
      [...read(path).matchAll(/new KeyboundError\(\s*"(\w+)"/g)].map(([, code]) => code!)
    );
    assert.ok(thrown.length > 100);
    assert.deepEqual(thrown.filter((code) => !headings.includes(code)), []);
  });
});

describe("the other tables", () => {
  it("have every check of the doctor", () => {
    const sources = ["cli/doctor.ts", ...filesBelow("cli/doctor")].map((path) => read(path)).join();
    const checks = new Set(
      [...sources.matchAll(/(?:\b(?:finding|brokenCheck)\(\s*|\bcheck = )["`]([a-zA-Z: ]+)/g)]
        .map(([, check]) => check!),
    );
    assert.ok(checks.size > 10);
    const table = part("What doctor looks at");
    assert.deepEqual([...checks].filter((check) => !table.includes(`\`${check}`)), []);
  });

  it("have the program's exit codes", () => {
    const [, union = ""] = /export type ExitCode = ([^;]+);/.exec(read("cli/command.ts")) ?? [];
    const [, header = ""] = part("Exit codes").split("\n");
    const columns = header.split("|").map((cell) => cell.trim()).filter((cell) =>
      /^\d$/.test(cell)
    );
    assert.deepEqual(columns, union.split("|").map((code) => code.trim()));
  });
});

describe("what reads the union", () => {
  it("wants one", () => {
    assert.deepEqual(errorCodes('export type ErrorCode =\n  | "a_b"\n  | "c";\n'), ["a_b", "c"]);
    assert.throws(() => errorCodes("export type ErrorCode = string;\n"), /no union/);
  });
});
