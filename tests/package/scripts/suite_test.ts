/**
 * What a test run is given, and what is said of it.
 *
 * @module
 */

import assert from "node:assert/strict";
import process from "node:process";
import { describe, it } from "node:test";
import { pool } from "../../../scripts/lib/pool.mjs";
import { run } from "../../../scripts/lib/process.mjs";
import { testEnvironment, testFiles, withoutPasses } from "../../../scripts/lib/suite.mjs";
import { closingLine, exitCode, sum } from "../../../scripts/lib/tally.mjs";

describe("the exit code of a run", () => {
  const passed = { passed: 1, failed: 0, skipped: 0 };

  it("is an error after a failure, without any test, and for a skipped one on a server", () => {
    assert.equal(exitCode({ ...passed, failed: 1 }, false), 1);
    assert.equal(exitCode({ ...passed, passed: 0 }, false), 1);
    assert.equal(exitCode({ ...passed, skipped: 1 }, true), 1);
  });

  it("is 0 where all passed, or some were skipped on a desk", () => {
    assert.equal(exitCode(passed, true), 0);
    assert.equal(exitCode({ ...passed, skipped: 1 }, false), 0);
  });

  it("goes with a closing line that adds up", () => {
    const total = sum([passed, { passed: 2, failed: 3, skipped: 4 }]);
    assert.equal(closingLine(total), "3 passed, 3 failed, 4 skipped");
  });
});

describe("a test run", () => {
  it("takes test files only", () => {
    const files = testFiles([]);
    assert.ok(files.includes("tests/package/scripts/suite_test.ts"));
    assert.ok(!files.some((path: string) => path.includes("/support/")));
  });

  it("takes the files asked for, however the path is written", () => {
    assert.deepEqual(testFiles([".\\tests\\package\\scripts\\suite"]), [
      "tests/package/scripts/suite_test.ts",
    ]);
    assert.deepEqual(testFiles(["there is no such file"]), []);
  });

  it("knows nothing of this host's metadata service, proxies or options", () => {
    const env = testEnvironment({
      AZURE_POD_IDENTITY_AUTHORITY_HOST: "http://127.0.0.1:1",
      https_proxy: "http://127.0.0.1:2",
      NODE_OPTIONS: "--inspect",
      KEYBOUND_NODE: "node",
      PATH: "/bin",
    });
    assert.deepEqual(env, { PATH: "/bin", NO_COLOR: "1" });
  });

  it("shows failures without what passed", () => {
    const output = "▶ a\n  ✔ b (1ms)\nc ... ok (2ms)\n(pass) d [1ms]\nℹ pass 3\n  ✖ e (1ms)";
    assert.equal(withoutPasses(output), "▶ a\n  ✖ e (1ms)");
  });
});

describe("a program that is run", () => {
  const node = process.env["KEYBOUND_NODE"] ?? process.execPath;

  it("fails with what it said on both of its outputs", async () => {
    const script = "console.log('out'); console.error('err'); process.exitCode = 3";
    const { ok, stdout, output } = await run(node, ["-e", script]);
    assert.equal(ok, false);
    assert.equal(stdout, "out\n");
    assert.match(output, /^(out\nerr|err\nout)\n$/);
  });

  it("is killed when its time is over", async () => {
    const { ok, output } = await run(node, ["-e", "setInterval(() => {}, 1000)"], { timeout: 200 });
    assert.equal(ok, false);
    assert.match(output, /Killed: not done after 0\.2 s/);
  });

  it("fails where there is no such program", async () => {
    const { ok, output } = await run("/there/is/no/such/program", []);
    assert.equal(ok, false);
    assert.match(output, /doesn't start/);
  });

  it("succeeds with exit code 0", async () => {
    const { ok, stdout } = await run(node, ["-p", "6 * 7"]);
    assert.equal(ok, true);
    assert.equal(stdout, "42\n");
  });
});

describe("a pool", () => {
  it("works on no more at a time than it may, and keeps the order", async () => {
    let [now, most] = [0, 0];
    const results = await pool([3, 1, 2], 2, async (item: number) => {
      most = Math.max(most, ++now);
      await Promise.resolve();
      now--;
      return item * 2;
    });
    assert.deepEqual(results, [6, 2, 4]);
    assert.equal(most, 2);
  });
});
