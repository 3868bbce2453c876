/**
 * Re-mints in any order of causes and whatever the clock does.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  type HealCause,
  isProbeDue,
  mayRemint,
  remembered,
  type RemintHistory,
} from "../../src/policy/healing.ts";

const COOLDOWN = 60_000;
const CAUSES: readonly HealCause[] = [
  "credential_rejected",
  "connection_reset",
  "invalid_client",
  "key_dead",
];

/** What really was done. */
interface Model {
  now: number;
  /** When each kind was last re-minted. */
  readonly done: { probe?: number; wire?: number };
  /** Re-mints of either kind since the clock last went back. */
  sinceTurn: { probe: number[]; wire: number[] };
}

interface Alias {
  history: RemintHistory;
}

/** A failure: re-minted for, if that is allowed. */
class Failure implements fc.Command<Model, Alias> {
  readonly #cause: HealCause;
  constructor(cause: HealCause) {
    this.#cause = cause;
  }
  check(): boolean {
    return true;
  }
  run(model: Model, alias: Alias): void {
    const kind = this.#cause === "key_dead" ? "probe" : "wire";
    const last = model.done[kind];
    const allowed = mayRemint(alias.history, this.#cause, model.now, COOLDOWN);
    const isLate = last === undefined || model.now < last || model.now - last >= COOLDOWN;
    assert.equal(allowed, isLate);
    if (!allowed) return;
    alias.history = remembered(alias.history, this.#cause, model.now);
    model.done[kind] = model.now;
    const times = model.sinceTurn[kind];
    times.push(model.now);
    assert.ok(times.length <= 1 + (model.now - times[0]!) / COOLDOWN, "more often than allowed");
    assert.deepEqual(alias.history, model.done);
  }
  toString(): string {
    return this.#cause;
  }
}

/** Time goes by, or is put back. */
class Passing implements fc.Command<Model, Alias> {
  readonly #ms: number;
  constructor(ms: number) {
    this.#ms = ms;
  }
  check(): boolean {
    return true;
  }
  run(model: Model): void {
    model.now += this.#ms;
    if (this.#ms < 0) model.sinceTurn = { probe: [], wire: [] };
  }
  toString(): string {
    return `${this.#ms} ms`;
  }
}

describe("re-mints", () => {
  it("keep to one a cool-down for each kind of cause, however failures and time come", () => {
    const commands = fc.commands([
      fc.constantFrom(...CAUSES).map((cause) => new Failure(cause)),
      fc.oneof(
        { weight: 4, arbitrary: fc.integer({ min: 0, max: 2 * COOLDOWN }) },
        { weight: 1, arbitrary: fc.integer({ min: -5 * COOLDOWN, max: -1 }) },
      ).map((ms) => new Passing(ms)),
    ], { maxCommands: 60 });
    fc.assert(fc.property(commands, (list) => {
      const setup = () => ({
        model: { now: 1_000_000, done: {}, sinceTurn: { probe: [], wire: [] } },
        real: { history: {} },
      });
      fc.modelRun(setup, list);
    }));
  });

  it("for a dead key are never put off by what comes over the wire", () => {
    const failures = fc.array(fc.tuple(fc.constantFrom(...CAUSES.slice(0, 3)), fc.nat(COOLDOWN)));
    fc.assert(fc.property(failures, (list) => {
      let [history, now]: [RemintHistory, number] = [{}, 0];
      for (const [cause, wait] of list) {
        now += wait;
        if (mayRemint(history, cause, now, COOLDOWN)) history = remembered(history, cause, now);
      }
      assert.equal(mayRemint(history, "key_dead", now, COOLDOWN), true);
    }));
  });
});

describe("a proof of the key", () => {
  it("counts only within the interval that follows it", () => {
    const time = fc.integer({ min: 0, max: 1_000_000 });
    fc.assert(fc.property(time, time, time, (provedAt, now, interval) => {
      const counts = now >= provedAt && now <= provedAt + interval;
      assert.equal(isProbeDue(provedAt, now, interval), !counts);
    }));
  });
});
