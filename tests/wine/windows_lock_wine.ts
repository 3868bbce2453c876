/**
 * The lock of the certificate store between processes of different runtimes: the named mutex is that
 * of Wine's kernel32.
 *
 * @module
 */

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { windowsStore } from "../../backends/windows/mod.ts";
import { isKeyboundError } from "../../src/errors.ts";
import { otherRuntimes, WindowsProcess } from "./support/windows_process.ts";

const ALIAS = "wine-lock#att=0";

const isTimeout = (error: unknown) => isKeyboundError(error, "store_lock_timeout");
const fails = () => assert.fail("ran");

for (const runtime of otherRuntimes()) {
  describe(`the lock of windowsStore between this process and one of ${runtime.kind}`, () => {
    let other: WindowsProcess;
    beforeEach(() => other = WindowsProcess.start(runtime));
    afterEach(() => other.kill());

    it("keeps the other one out, also under a name in another case", async () => {
      await windowsStore().lock(ALIAS, async () => {
        await assert.rejects(other.tell({ hold: ALIAS.toUpperCase() }), /lock/);
      });
      await other.tell({ hold: ALIAS });
    });

    it("is had by who waits for it, once its holder was killed", async () => {
      await other.tell({ hold: ALIAS });
      const store = windowsStore();
      await assert.rejects(store.lock(ALIAS, fails, { timeout: 100 }), isTimeout);
      const waiting = store.lock(ALIAS, () => Promise.resolve("in"), { timeout: 10_000 });
      await other.kill();
      assert.equal(await waiting, "in");
    });

    it("is whole after that: it keeps out the next one", async () => {
      await other.tell({ hold: ALIAS });
      await other.kill();
      const third = WindowsProcess.start(runtime);
      try {
        await third.tell({ hold: ALIAS });
        await assert.rejects(windowsStore().lock(ALIAS, fails, { timeout: 0 }), isTimeout);
      } finally {
        await third.kill();
      }
      assert.equal(await windowsStore().lock(ALIAS, () => Promise.resolve("in")), "in");
    });
  });
}
