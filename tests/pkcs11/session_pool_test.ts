/**
 * How sessions are shared out.
 *
 * @module
 */

import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { describe, it } from "node:test";
import { CKR } from "../../backends/pkcs11/constants.ts";
import type { Cryptoki, Handle } from "../../backends/pkcs11/cryptoki.ts";
import type { Operation } from "../../backends/ffi/operation.ts";
import { ReturnCodeError } from "../../backends/pkcs11/return_codes.ts";
import { SessionPool } from "../../backends/pkcs11/session_pool.ts";

/** A token with so many sessions to give; `open` are those given. */
function tokenWith(room: number) {
  const open = new Set<Handle>();
  let next = 0n;
  const cryptoki = {
    // deno-lint-ignore require-yield
    *openSession(): Operation<Handle> {
      if (open.size >= room) throw new ReturnCodeError("C_OpenSession", CKR.SESSION_COUNT);
      open.add(++next);
      return next;
    },
    // deno-lint-ignore require-yield
    *closeSession(session: Handle): Operation<void> {
      assert.ok(open.delete(session), "closed once");
    },
  };
  return { cryptoki: cryptoki as unknown as Cryptoki, open };
}

/** Work that lasts until it is told to end. */
function longWork() {
  const sessions: Handle[] = [];
  const ends: (() => void)[] = [];
  const work = (session: Handle) => {
    sessions.push(session);
    return new Promise<void>((resolve) => ends.push(resolve));
  };
  return { sessions, work, endOne: async () => (ends.shift()!(), await setImmediate()) };
}

describe("a pool of sessions", () => {
  it("fails where the token has no session at all, for all who wait", async () => {
    const { cryptoki } = tokenWith(0);
    const pool = new SessionPool(cryptoki, 1n, 2);
    const attempts = Array.from({ length: 5 }, () => pool.run(() => Promise.resolve()));
    for (const { status } of await Promise.allSettled(attempts)) assert.equal(status, "rejected");
  });

  it("gives each piece of work a session of its own, up to its limit, and the others wait", async () => {
    const { cryptoki, open } = tokenWith(10);
    const pool = new SessionPool(cryptoki, 1n, 2);
    const { sessions, work, endOne } = longWork();
    const all = Promise.all(Array.from({ length: 5 }, () => pool.run(work)));
    await setImmediate();
    assert.deepEqual(sessions, [1n, 2n]);
    await endOne();
    assert.deepEqual(sessions, [1n, 2n, 1n]);
    for (let i = 0; i < 4; i++) await endOne();
    await all;
    assert.equal(open.size, 2);
  });

  it("makes do with fewer where the token has no more", async () => {
    const { cryptoki, open } = tokenWith(1);
    const pool = new SessionPool(cryptoki, 1n, 8);
    const { sessions, work, endOne } = longWork();
    const all = Promise.all([pool.run(work), pool.run(work), pool.run(work)]);
    for (let i = 0; i < 3; i++) {
      await setImmediate();
      assert.equal(open.size, 1);
      await endOne();
    }
    await all;
    assert.deepEqual(sessions, [1n, 1n, 1n]);
  });

  it("closes a session in which something failed, and goes on with a new one", async () => {
    const { cryptoki, open } = tokenWith(1);
    const pool = new SessionPool(cryptoki, 1n, 1);
    const failure = new ReturnCodeError("C_Sign", CKR.DEVICE_ERROR);
    await assert.rejects(pool.run(() => Promise.reject(failure)), (error) => error === failure);
    assert.equal(open.size, 0);
    assert.equal(await pool.run((session) => Promise.resolve(session)), 2n);
  });

  it("that has retired closes every session, those in use when they come back", async () => {
    const { cryptoki, open } = tokenWith(2);
    const pool = new SessionPool(cryptoki, 1n, 2);
    const { work, endOne } = longWork();
    const busy = pool.run(work);
    await pool.run(() => Promise.resolve());
    assert.equal(open.size, 2);
    await pool.retire();
    assert.equal(open.size, 1);
    await endOne();
    await busy;
    assert.equal(open.size, 0);
  });
});
