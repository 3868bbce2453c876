/**
 * The limits on what the metadata service is asked.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { admission, IMDS_LIMITS, RequestLimiter } from "../../src/sources/limiter.ts";
import { EPOCH, manualClock, settle } from "../support/clock.ts";
import { until } from "../support/waiting.ts";
import { ENVIRONMENTS, fakeHost, query, tokenResponse } from "./support/fake_host.ts";

describe("admission", () => {
  const limits = { concurrent: 2, perSecond: 3 };
  const rows: [number, number[], number][] = [
    [0, [], 0],
    [1, [EPOCH], 0],
    [2, [], Infinity],
    [3, [], Infinity],
    [0, [EPOCH - 500, EPOCH - 400], 0],
    [0, [EPOCH - 500, EPOCH - 400, EPOCH], 500],
    [1, [EPOCH - 999, EPOCH, EPOCH], 1],
    [1, [EPOCH - 1000, EPOCH, EPOCH], 0],
    [1, [EPOCH - 900, EPOCH - 700, EPOCH, EPOCH], 300],
    [2, [EPOCH, EPOCH, EPOCH], Infinity],
  ];
  for (const [running, starts, expected] of rows) {
    it(`with ${running} under way and ${starts.map((start) => start - EPOCH)} takes ${expected}`, () => {
      assert.equal(admission(running, starts, EPOCH, limits), expected);
    });
  }
});

describe("a limiter", () => {
  it("lets in first come, first served, so many at once", async () => {
    const limiter = new RequestLimiter({ concurrent: 2, perSecond: 100 }, manualClock());
    const order: number[] = [];
    const leave: (() => void)[] = [];
    for (let i = 0; i < 5; i++) {
      limiter.enter().then((over) => {
        order.push(i);
        leave.push(over);
      });
    }
    await settle();
    assert.deepEqual(order, [0, 1]);
    leave[1]!();
    leave[1]!(); // Twice makes room for one.
    await settle();
    assert.deepEqual(order, [0, 1, 2]);
    leave[0]!();
    leave[2]!();
    await settle();
    assert.deepEqual(order, [0, 1, 2, 3, 4]);
  });

  it("lets in so many a second, and not before", async () => {
    const clock = manualClock();
    const limiter = new RequestLimiter({ concurrent: 100, perSecond: 2 }, clock);
    const times: number[] = [];
    for (let i = 0; i < 5; i++) limiter.enter().then(() => times.push(clock.now() - EPOCH));
    await clock.advance(999);
    assert.deepEqual(times, [0, 0]);
    await clock.advance(5000);
    assert.deepEqual(times, [0, 0, 1000, 1000, 2000]);
    assert.equal(clock.sleepers, 0);
  });

  it("forgets who has given up, wherever they wait", async () => {
    const clock = manualClock();
    const limiter = new RequestLimiter({ concurrent: 1, perSecond: 1 }, clock);
    const controller = new AbortController();
    const reason = new Error("no longer wanted");
    const over = await limiter.enter();
    const given = limiter.enter(controller.signal);
    given.catch(() => {});
    let entered = false;
    const next = limiter.enter().then(() => entered = true);
    controller.abort(reason);
    await assert.rejects(given, reason);
    await assert.rejects(limiter.enter(controller.signal), reason);
    over();
    await settle();
    assert.equal(entered, false);
    await clock.advance(1000);
    await next;
  });

  it("passes the turn on of one that gives up as it is granted, whichever came first", async () => {
    for (const abortFirst of [true, false]) {
      const limiter = new RequestLimiter({ concurrent: 1, perSecond: 100 }, manualClock());
      const controller = new AbortController();
      const over = await limiter.enter();
      const first = limiter.enter(controller.signal);
      first.catch(() => {});
      let entered = false;
      limiter.enter().then(() => entered = true);
      if (abortFirst) controller.abort(new Error("no longer wanted"));
      over();
      controller.abort(new Error("no longer wanted"));
      // Whether it got in or not, its place is free again.
      await first.then((leave) => leave(), () => {});
      await settle();
      assert.equal(entered, true);
    }
  });

  it("holds no timer when nobody waits", async () => {
    const clock = manualClock();
    const limiter = new RequestLimiter({ concurrent: 9, perSecond: 1 }, clock);
    const controller = new AbortController();
    await limiter.enter();
    const waiting = limiter.enter(controller.signal);
    waiting.catch(() => {});
    await until(() => clock.sleepers === 1);
    controller.abort();
    await assert.rejects(waiting);
    assert.equal(clock.sleepers, 0);
    let entered = false;
    limiter.enter().then(() => entered = true);
    await clock.advance(1000);
    assert.equal(entered, true);
  });

  it("isn't held up by a clock that was put back", async () => {
    const clock = manualClock();
    let now = EPOCH;
    const limiter = new RequestLimiter(
      { concurrent: 9, perSecond: 1 },
      { now: () => now, sleep: clock.sleep },
    );
    await limiter.enter();
    now -= 3_600_000;
    await limiter.enter();
  });
});

describe("the metadata service", () => {
  /** 50 calls at once; an answer comes when the test says so. */
  function crowd(environment: Readonly<Record<string, string | undefined>>) {
    const open: (() => void)[] = [];
    const host = fakeHost(environment, {
      answer: () => new Promise((resolve) => open.push(() => resolve(tokenResponse()))),
    });
    const calls = Array.from({ length: 50 }, () => host.sources.token(query()));
    return { ...host, open, calls };
  }

  it("is asked 5 requests at a time and 20 a second", async () => {
    assert.deepEqual(IMDS_LIMITS, { concurrent: 5, perSecond: 20 });
    const { sent, clock, open, calls } = crowd({});
    let answered = 0;
    for (const expected of [20, 40, 50]) {
      while (sent.length < expected) {
        await until(() => sent.length === Math.min(expected, answered + 5));
        for (const answer of open.splice(0)) {
          answered++;
          answer();
        }
        await settle();
      }
      for (const answer of open.splice(0)) {
        answered++;
        answer();
      }
      await clock.advance(999);
      assert.equal(sent.length, expected);
      await clock.advance(1);
    }
    await Promise.all(calls);
  });

  it("alone is spared: others have limits of their own", async () => {
    const { sent, open, calls } = crowd(ENVIRONMENTS.AppService);
    await until(() => sent.length === 50);
    for (const answer of open) answer();
    await Promise.all(calls);
  });

  it("doesn't hold a place while a repetition is waited for", async () => {
    const { sources, sent, clock } = fakeHost({}, {
      answer: (i) => i < 5 ? new Response(null, { status: 500 }) : tokenResponse(),
    });
    const calls = Array.from({ length: 5 }, () => sources.token(query()));
    await until(() => sent.length === 5);
    await sources.token(query());
    assert.equal(sent.length, 6);
    await until(() => clock.sleepers === 5);
    await clock.advance(1000);
    await Promise.all(calls);
  });

  it("frees the place of an aborted request", async () => {
    const { sources, sent } = fakeHost({}, {
      answer: (i) => i < 5 ? new Promise(() => {}) : tokenResponse(),
    });
    const controller = new AbortController();
    const calls = Array.from(
      { length: 5 },
      () => sources.token(query({}, { signal: controller.signal })),
    );
    const done = Promise.allSettled(calls);
    await until(() => sent.length === 5);
    const waiting = sources.token(query());
    await settle();
    assert.equal(sent.length, 5);
    controller.abort(new Error("no longer wanted"));
    await waiting;
    await done;
  });

  it("has the whole time of an attempt, however long the queue was", async () => {
    const { sources, sent, clock } = fakeHost({}, {
      timeout: 500,
      answer: () => tokenResponse(),
    });
    const calls = Array.from({ length: 60 }, () => sources.token(query()));
    await clock.advance(3000);
    await Promise.all(calls);
    assert.equal(sent.length, 60);
  });
});
