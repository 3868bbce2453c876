/**
 * Reading coverage, and judging it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { COVERED_FOLDERS, gaps } from "../../../scripts/lib/coverage.mjs";
import { parseLcov } from "../../../scripts/lib/lcov.mjs";

const LCOV = `TN:
SF:src/policy/retry.ts
FN:3,first
FN:7,anonymous_1
FNDA:4,first
FNDA:0,anonymous_1
FNF:2
FNH:1
BRDA:3,0,0,4
BRDA:8,1,0,0
BRDA:8,2,0,0
BRF:3
BRH:1
DA:3,4
DA:7,0
DA:8,0
LH:1
LF:3
end_of_record
TN:
SF:src\\other.ts
DA:1,1
LH:1
LF:1
end_of_record
`;

describe("a coverage report", () => {
  const [retry, other, ...more] = parseLcov(LCOV);

  it("is read file by file, with slashes", () => {
    assert.deepEqual([retry?.file, other?.file], ["src/policy/retry.ts", "src/other.ts"]);
    assert.equal(more.length, 0);
  });

  it("says where lines, branches and functions never ran", () => {
    assert.deepEqual(retry?.lines, { found: 3, missed: [7, 8] });
    assert.deepEqual(retry?.branches, { found: 3, missed: [8, 8] });
    assert.deepEqual(retry?.functions, { found: 2, missed: [7] });
    assert.deepEqual(other?.functions, { found: 0, missed: [] });
  });

  it("without the name of a file is refused", () => {
    assert.throws(() => parseLcov("DA:1,1\nend_of_record\n"), /without a file/);
  });
});

describe("folders that are to be covered", () => {
  const coverage = (files: ReturnType<typeof parseLcov>, unloaded: string[] = []) => ({
    ok: true,
    output: "",
    files,
    unloaded,
  });

  it("are policy and x509", () => {
    assert.deepEqual(COVERED_FOLDERS, ["src/policy", "src/x509"]);
  });

  it("have a gap at each line and each branch that never ran, and no other folder has", () => {
    assert.deepEqual(gaps(coverage(parseLcov(LCOV.replaceAll("src\\other", "src\\imds\\other")))), [
      "src/policy/retry.ts:7 isn't run",
      "src/policy/retry.ts:8 isn't run",
      "src/policy/retry.ts:8 has a branch not taken",
    ]);
  });

  it("have a gap where no test loads a file", () => {
    assert.deepEqual(gaps(coverage([], ["src/x509/new.ts", "src/imds/new.ts"])), [
      "src/x509/new.ts is loaded by no test",
    ]);
  });

  it("have none where everything ran", () => {
    assert.deepEqual(gaps(coverage(parseLcov(LCOV.replaceAll(/,0$/gm, ",1")))), []);
  });
});
