/**
 * A signature on its way from thread to thread.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Worker } from "node:worker_threads";
import { SignatureSlot } from "../../backends/openssl/worker_messages.ts";

describe("a thread that waits for a signature", () => {
  it("isn't woken by the late notification of the one before", async () => {
    const buffer = SignatureSlot.create();
    // What the one before left behind.
    new SignatureSlot(buffer).put(Uint8Array.of(1, 2, 3));
    const url = new URL("../support/signature_slot_worker.ts", import.meta.url);
    const worker = new Worker(url, { workerData: buffer });
    const messages: unknown[] = [];
    const [waiting, over] = [deferred(), deferred()];
    worker.on("message", (message) => {
      if (messages.push(message) === 1) waiting.resolve();
      else over.resolve();
    });
    worker.on("error", over.reject);
    await waiting.promise;
    // Says how many were woken: until one is, it doesn't wait yet.
    while (Atomics.notify(new Int32Array(buffer), 0) === 0) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    new SignatureSlot(buffer).put(Uint8Array.of(9));
    await over.promise;
    assert.deepEqual(Array.from(messages[1] as Uint8Array), [9]);
    await worker.terminate();
  });
});

/** A promise and what settles it; not every runtime has `Promise.withResolvers`. */
function deferred() {
  let resolve!: () => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<void>((yes, no) => [resolve, reject] = [yes, no]);
  return { promise, resolve, reject };
}
