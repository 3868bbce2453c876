/**
 * One piece of work for all who ask at the same time.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { raceSignal, SingleFlight } from "../../src/single_flight.ts";

function deferred<T>() {
  let resolve!: (value: T) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((yes, no) => ([resolve, reject] = [yes, no]));
  return { promise, resolve, reject };
}

describe("a single flight", () => {
  it("is shared by those who come while it lasts, not by those who come after", async () => {
    const flights = new SingleFlight<number>();
    let runs = 0;
    const work = async () => {
      await Promise.resolve();
      return ++runs;
    };
    assert.deepEqual(await Promise.all([flights.run("a", work), flights.run("a", work)]), [1, 1]);
    assert.equal(await flights.run("a", work), 2);
  });

  it("keeps keys apart", async () => {
    const flights = new SingleFlight<string>();
    const results = ["a", "b"].map((key) => flights.run(key, () => Promise.resolve(key)));
    assert.deepEqual(await Promise.all(results), ["a", "b"]);
  });

  it("shares a failure too, and forgets it", async () => {
    const flights = new SingleFlight<number>();
    const { promise, reject } = deferred<number>();
    const all = [flights.run("a", () => promise), flights.run("a", () => promise)];
    reject(new Error("boom"));
    for (const one of all) await assert.rejects(one, { message: "boom" });
    assert.equal(await flights.run("a", () => Promise.resolve(1)), 1);
  });

  it("is aborted when the last one has left, not before", async () => {
    const flights = new SingleFlight<number>();
    let signal!: AbortSignal;
    const work = (given: AbortSignal) => {
      signal = given;
      return new Promise<number>(() => {});
    };
    const [first, second] = [new AbortController(), new AbortController()];
    const one = flights.run("a", work, first.signal);
    const two = flights.run("a", work, second.signal);
    first.abort(new Error("first"));
    await assert.rejects(one, { message: "first" });
    assert.equal(signal.aborted, false);
    second.abort(new Error("second"));
    await assert.rejects(two, { message: "second" });
    assert.equal(signal.aborted, true);
  });

  it("is not joined by somebody who has left already", async () => {
    const flights = new SingleFlight<number>();
    let runs = 0;
    const asked = flights.run(
      "a",
      () => Promise.resolve(++runs),
      AbortSignal.abort(new Error("x")),
    );
    await assert.rejects(asked, { message: "x" });
    assert.equal(runs, 0);
  });

  it("can be ended for all", async () => {
    const flights = new SingleFlight<number>();
    const asked = flights.run("a", (signal) => raceSignal(new Promise<number>(() => {}), signal));
    flights.abortAll(new Error("closed"));
    await assert.rejects(asked, { message: "closed" });
  });
});

describe("racing a signal", () => {
  it("gives the value or the reason, whichever is first, and leaves no listener", async () => {
    assert.equal(await raceSignal(Promise.resolve(1)), 1);
    const controller = new AbortController();
    assert.equal(await raceSignal(Promise.resolve(2), controller.signal), 2);
    const { promise } = deferred<number>();
    const raced = raceSignal(promise, controller.signal);
    controller.abort(new Error("stop"));
    await assert.rejects(raced, { message: "stop" });
    await assert.rejects(raceSignal(Promise.resolve(3), controller.signal), { message: "stop" });
  });
});
