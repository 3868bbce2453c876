/**
 * What holds for every schedule of repetitions and every `Retry-After`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  type AttemptOutcome,
  imdsPolicy,
  imdsProbePolicy,
  managedIdentityPolicy,
  MAX_RETRY_AFTER,
  noRetryPolicy,
  parseRetryAfter,
  regionPolicy,
  retryDelay,
  type RetryPolicy,
  throttledUntil,
  tokenEndpointPolicy,
} from "../../src/policy/retry.ts";

const NOW = Date.UTC(2030, 0, 1);

const policy: fc.Arbitrary<RetryPolicy> = fc.constantFrom(
  imdsPolicy,
  imdsProbePolicy,
  managedIdentityPolicy,
  tokenEndpointPolicy,
  regionPolicy,
  noRetryPolicy,
);
const status = fc.oneof(
  // Those that a table tells apart, often.
  fc.constantFrom(404, 410, 500),
  fc.constantFrom(200, 400, 401, 404, 408, 410, 429, 500, 502, 503, 504),
  fc.integer({ min: 100, max: 999 }),
);
const outcome: fc.Arbitrary<AttemptOutcome> = fc.record({
  status: fc.option(status, { nil: undefined }),
  retryAfter: fc.option(fc.integer({ min: 0, max: MAX_RETRY_AFTER }), { nil: undefined }),
});
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

/** The delays until the policy gives up; the last outcome comes again and again. */
function schedule(table: RetryPolicy, outcomes: readonly AttemptOutcome[], jitter: number) {
  const attempts: AttemptOutcome[] = [];
  const delays: number[] = [];
  while (true) {
    attempts.push(outcomes[Math.min(attempts.length, outcomes.length - 1)]!);
    const delay = retryDelay(table, attempts, jitter);
    if (delay === undefined) return { attempts, delays };
    delays.push(delay);
    assert.ok(attempts.length < 20, "repeated without end");
  }
}

const outcomes = fc.array(outcome, { minLength: 1, maxLength: 9 });

describe("any schedule of repetitions", () => {
  it("ends after as many as the first outcome allows, at most 7", () => {
    fc.assert(
      fc.property(policy, outcomes, random, (table, list, jitter) => {
        const { delays } = schedule(table, list, jitter);
        assert.ok(delays.length <= table.limit(list[0]!));
        assert.ok(delays.length <= 7);
      }),
      { numRuns: 1000 },
    );
  });

  it("has pauses of at most 11 s, or a tenth over what the server asked for", () => {
    fc.assert(fc.property(policy, outcomes, random, (table, list, jitter) => {
      const { attempts, delays } = schedule(table, list, jitter);
      delays.forEach((delay, i) => {
        const asked = table.retryAfter === "honoured" ? attempts[i]!.retryAfter ?? 0 : 0;
        assert.ok(delay >= Math.max(asked, 1000) && delay <= 1.1 * Math.max(asked, 10_000));
      });
    }));
  });

  it("is the table's own with no randomness, and grows with it by a tenth at most", () => {
    fc.assert(fc.property(policy, outcomes, random, random, (table, list, a, b) => {
      const [less, more] = [Math.min(a, b), Math.max(a, b)].map((jitter) =>
        schedule(table, list, jitter).delays
      ) as [number[], number[]];
      const plain = schedule(table, list, 0).delays;
      assert.equal(less.length, more.length);
      plain.forEach((delay, i) => {
        assert.ok(delay <= less[i]! && less[i]! <= more[i]! && more[i]! <= 1.1 * delay);
      });
    }));
  });

  it("stops at the first status that isn't worth it, whatever came before", () => {
    fc.assert(fc.property(policy, outcomes, outcome, random, (table, list, last, jitter) => {
      const isWorthIt = last.status === undefined || table.statuses(last.status);
      const isFinal = table.retryAfter === "stops" && last.retryAfter !== undefined;
      if (isWorthIt && !isFinal) return;
      assert.equal(retryDelay(table, [...list, last], jitter), undefined);
    }));
  });
});

describe("any Retry-After", () => {
  it("is a wait of no more than an hour, or nothing", () => {
    const text = fc.oneof(
      fc.string(),
      fc.string({ unit: fc.constantFrom(..."0123456789 -+.eGMTZ:,Jan") }),
      fc.integer().map(String),
    );
    fc.assert(fc.property(text, (value) => {
      const wait = parseRetryAfter(value, NOW);
      assert.ok(wait === undefined || (wait >= 0 && wait <= MAX_RETRY_AFTER), `${wait}`);
    }));
  });

  it("in whole seconds or as a date comes back as it was, from now up to an hour", () => {
    fc.assert(fc.property(fc.integer({ min: -7200, max: 7200 }), (seconds) => {
      const expected = Math.min(Math.max(seconds, 0) * 1000, MAX_RETRY_AFTER);
      const asSeconds = parseRetryAfter(String(seconds), NOW);
      assert.equal(asSeconds, seconds < 0 ? undefined : expected);
      const date = new Date(NOW + seconds * 1000).toUTCString();
      assert.equal(parseRetryAfter(date, NOW), expected);
    }));
  });

  it("never holds requests back for longer than it says, and only after 429 and 5xx", () => {
    fc.assert(fc.property(status, outcome, (code, { retryAfter }) => {
      const until = throttledUntil(code, retryAfter, NOW);
      if (until === undefined) return;
      assert.ok(code === 429 || (code >= 500 && code <= 599));
      assert.equal(until - NOW, retryAfter ?? 60_000);
    }));
  });
});
