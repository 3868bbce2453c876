/**
 * Native calls that belong together: what fails is thrown into them, on whichever thread it failed.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Call, type Operation, runElsewhere, runHere } from "../../backends/ffi/operation.ts";

/** Calls that say what they did, and fail where they are told to. */
function recorder(failing: readonly string[] = []) {
  const made: string[] = [];
  const outcome = (name: string) => failing.includes(name) ? new Error(name) : undefined;
  const call = (name: string): Call => ({
    here: () => (made.push(`here ${name}`), outcome(name)),
    elsewhere: () => (made.push(`elsewhere ${name}`), Promise.resolve(outcome(name))),
  });
  const open = function* (): Operation<number> {
    yield call("open");
    try {
      yield call("use");
      return 7;
    } finally {
      yield call("close");
    }
  };
  return { made, open };
}

const WAYS: Readonly<Record<string, (operation: Operation<number>) => Promise<number>>> = {
  here: (operation) => new Promise((resolve) => resolve(runHere(operation))),
  elsewhere: runElsewhere,
};

for (const [way, run] of Object.entries(WAYS)) {
  describe(`An operation that runs ${way}`, () => {
    it("rejects with what failed, after it has tidied up", async () => {
      const { made, open } = recorder(["use"]);
      await assert.rejects(run(open()), { message: "use" });
      assert.deepEqual(made, [`${way} open`, `${way} use`, `${way} close`]);
    });

    it("makes no call after one that it doesn't catch", async () => {
      const { made, open } = recorder(["open"]);
      await assert.rejects(run(open()), { message: "open" });
      assert.deepEqual(made, [`${way} open`]);
    });

    it("makes its calls one after the other and gives its result", async () => {
      const { made, open } = recorder();
      assert.equal(await run(open()), 7);
      assert.deepEqual(made, [`${way} open`, `${way} use`, `${way} close`]);
    });
  });
}
