/**
 * Counting tests in the reports of three runtimes.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type TestCase, testCases } from "../../../scripts/lib/junit.mjs";

const NODE = `<?xml version="1.0" encoding="utf-8"?>
<testsuites>
	<testsuite name="outer" time="0.1" tests="3" failures="1" skipped="1">
		<testsuite name="inner" time="0.1" tests="2" failures="1" skipped="1">
			<testcase name="passes &lt;well>" time="0.1" classname="test"/>
			<testcase name="fails" time="0.1" classname="test" failure="1 !== 2&#10;">
				<failure type="testCodeFailure" message="1 !== 2">
AssertionError: &lt;testcase name="no"/> 1 !== 2 > 3
				</failure>
			</testcase>
			<testcase name="is skipped" time="0" classname="test">
				<skipped type="skipped" message="why"/>
			</testcase>
		</testsuite>
	</testsuite>
	<testcase name="top" time="0.1" classname="test"/>
	<!-- tests 4 -->
</testsuites>`;

const DENO = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="6" failures="2" errors="0" time="0.047">
    <testsuite name="./tests/a_test.ts" tests="2" disabled="0" errors="0" failures="1">
        <testcase name="outer" classname="./tests/a_test.ts" time="0.026" line="3" col="1">
            <failure message="1 test step failed">1 test step failed.</failure>
        </testcase>
        <testcase name="top" classname="./tests/a_test.ts" time="0.000" line="25" col="1">
        </testcase>
    </testsuite>
    <testsuite name="ext:deno_node/testing.ts" tests="4" disabled="1" errors="0" failures="2">
        <testcase name="outer &gt; inner" classname="ext:deno_node/testing.ts" time="0.013">
            <failure message="1 test step failed">1 test step failed.</failure>
        </testcase>
        <testcase name="outer &gt; inner &gt; passes &lt;well&gt;" classname="ext" time="0.001">
        </testcase>
        <testcase name="outer &gt; inner &gt; fails" classname="ext" time="0.001">
            <failure message="Uncaught AssertionError: &quot;1&quot;

1 !== 2
">AssertionError: 1 !== 2</failure>
        </testcase>
        <testcase name="outer &gt; inner &gt; is skipped" classname="ext" time="0.000">
            <skipped/>
        </testcase>
    </testsuite>
</testsuites>`;

const BUN = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="bun test" tests="4" assertions="0" failures="1" skipped="1" time="0.06">
  <testsuite name="tests/a_test.ts" file="tests/a_test.ts" tests="4" failures="1" time="0.05">
    <testsuite name="outer" file="tests/a_test.ts" line="3" tests="3" failures="1" time="0.004">
      <testsuite name="inner" file="tests/a_test.ts" line="5" tests="3" failures="1" time="0.002">
        <testcase name="passes &lt;well&gt;" classname="inner &gt; outer" time="0.001" line="6" />
        <testcase name="fails" classname="inner &gt; outer" time="0.001" line="11">
          <failure type="AssertionError" message="1 !== 2&#10;">1 !== 2&#10;</failure>
        </testcase>
        <testcase name="is skipped" classname="inner &gt; outer" time="0" line="8">
          <skipped />
        </testcase>
      </testsuite>
    </testsuite>
    <testcase name="top" classname="" time="0.000041" file="tests/a_test.ts" line="25" />
  </testsuite>
</testsuites>`;

const EXPECTED = [
  { name: "outer > inner > fails", status: "failed" },
  { name: "outer > inner > is skipped", status: "skipped" },
  { name: "outer > inner > passes <well>", status: "passed" },
  { name: "top", status: "passed" },
];

function byName(a: TestCase, b: TestCase): number {
  return a.name < b.name ? -1 : 1;
}

describe("a JUnit report", () => {
  for (const [runtime, xml] of [["node", NODE], ["deno", DENO], ["bun", BUN]] as const) {
    it(`of ${runtime} gives single tests, not suites`, () => {
      const cases = testCases(xml, runtime);
      assert.deepEqual(cases.sort(byName), EXPECTED);
    });

    it(`of ${runtime} that was never written gives none`, () => {
      assert.deepEqual(testCases("", runtime), []);
    });
  }

  it("counts a test that ended in an error as failed", () => {
    const xml =
      '<testsuite name="s"><testcase name="t"><error message="m"/></testcase></testsuite>';
    assert.deepEqual(testCases(xml, "node"), [{ name: "s > t", status: "failed" }]);
  });
});
