/**
 * The report of `npm run verify:windows`, and what `npm test` says of the Windows backends.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Finding, outcomes, report } from "../../../scripts/lib/windows_report.mjs";
import { windowsTiers } from "../../../scripts/wine/gate.mjs";

const finding = (check: string, outcome: Finding["outcome"], detail = "seen"): Finding => ({
  section: "Keys",
  check,
  outcome,
  detail,
  ms: 7,
});

describe("the report on a Windows host", () => {
  const findings = [
    finding("one", "ok"),
    finding("two", "failed", "a | b\nc"),
    finding("three", "impossible"),
  ];

  it("has a row for each check, with what would break the table taken out of it", () => {
    const text = report({ facts: { Windows: "11" }, findings });
    assert.match(text, /^## keybound on Windows\n/);
    assert.ok(text.includes("\n| Windows | 11 |\n"));
    assert.ok(text.includes("\n### Keys\n\n| check | outcome | seen | ms |\n| --- |"));
    assert.ok(text.includes("\n| one | ok | seen | 7 |\n"));
    assert.ok(text.includes("\n| two | FAILED | a \\| b c | 7 |\n"));
    assert.ok(text.includes("\n| three | not possible here | seen | 7 |\n"));
    assert.match(text, /\n1 ok, 1 failed, 1 not possible here\n$/);
  });

  it("says where it broke off", () => {
    const text = report({ facts: {}, findings: [], broken: "During 'one'." });
    assert.ok(text.includes("**It broke off.** During 'one'."));
    assert.deepEqual(outcomes(findings), { ok: 1, failed: 1, impossible: 1 });
  });
});

describe("what npm test says of the Windows backends", () => {
  const tally = (passed: number) => ({ passed, failed: 0, skipped: 0 });
  const results = [
    { file: "tests/windows/a_test.ts", tally: tally(3) },
    { file: "tests/schannel/b_test.ts", tally: tally(4) },
    { file: "tests/core/c_test.ts", tally: tally(100) },
  ];

  it("is one line a tier, the real one never claimed", () => {
    const tiers = [
      { title: "Wine", tally: tally(20) },
      { title: "simulated KSP", tally: tally(30) },
    ];
    const [title, ...lines] = windowsTiers(results, { tiers, failed: [], skipped: [] });
    assert.equal(title, "Windows backends");
    assert.deepEqual(lines.map((line: string) => line.trim().split(/ {2,}/)), [
      ["on this host, simulated functions", "7 passed, 0 failed, 0 skipped"],
      ["Wine 10", "20 passed, 0 failed, 0 skipped"],
      ["Wine 10, simulated KSP", "30 passed, 0 failed, 0 skipped"],
      ["Windows itself", "not verified: see the README (npm run verify:windows)"],
    ]);
  });

  it("announces what wasn't run", () => {
    const lines = windowsTiers(results, undefined);
    assert.equal(lines.filter((line: string) => line.includes("npm run test:wine")).length, 2);
  });
});
