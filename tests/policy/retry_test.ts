/**
 * The retry tables of protocol.md section 4.3, with the fixes of its appendix B.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type AttemptOutcome,
  imdsPolicy,
  imdsProbePolicy,
  managedIdentityPolicy,
  noRetryPolicy,
  parseRetryAfter,
  regionPolicy,
  retryDelay,
  type RetryPolicy,
  throttledUntil,
  tokenEndpointPolicy,
} from "../../src/policy/retry.ts";

const NOW = Date.UTC(2030, 0, 1);

/** The delays between attempts that all end alike, or as listed, until the policy gives up. */
function delays(
  policy: RetryPolicy,
  outcome: (attempt: number) => AttemptOutcome,
  random = 0,
): number[] {
  const attempts: AttemptOutcome[] = [];
  const waits: number[] = [];
  while (true) {
    attempts.push(outcome(attempts.length));
    const delay = retryDelay(policy, attempts, random);
    if (delay === undefined) return waits;
    waits.push(delay);
  }
}

const answer = (status: number, retryAfter?: number): AttemptOutcome => ({ status, retryAfter });

const EXPONENTIAL = [1000, 2000, 4000];
const GONE = Array.from({ length: 7 }, () => 10_000);
const SECONDS = [1000, 1000, 1000];

const TABLE: readonly [
  string,
  RetryPolicy,
  Readonly<Record<number, readonly number[]>>,
  number[],
][] = [
  ["imds", imdsPolicy, {
    200: [],
    400: [],
    401: [],
    403: [],
    404: EXPONENTIAL,
    408: EXPONENTIAL,
    409: [],
    410: GONE,
    429: EXPONENTIAL,
    500: EXPONENTIAL,
    501: EXPONENTIAL,
    502: EXPONENTIAL,
    503: EXPONENTIAL,
    504: EXPONENTIAL,
    599: EXPONENTIAL,
    600: [],
  }, EXPONENTIAL],
  ["imds-probe", imdsProbePolicy, {
    400: [],
    404: [],
    408: EXPONENTIAL,
    410: GONE,
    500: EXPONENTIAL,
  }, EXPONENTIAL],
  ["managed-identity", managedIdentityPolicy, {
    400: [],
    404: SECONDS,
    408: SECONDS,
    410: [],
    429: SECONDS,
    500: SECONDS,
    501: [],
    502: [],
    503: SECONDS,
    504: SECONDS,
  }, SECONDS],
  ["token-endpoint", tokenEndpointPolicy, {
    400: [],
    401: [],
    404: [],
    429: [],
    500: [1000],
    503: [1000],
  }, [1000]],
  ["region", regionPolicy, {
    400: [],
    404: [],
    408: [],
    410: EXPONENTIAL,
    429: EXPONENTIAL,
    500: EXPONENTIAL,
  }, EXPONENTIAL],
  ["none", noRetryPolicy, { 200: [], 404: [], 500: [] }, []],
];

describe("retry policy", () => {
  for (const [name, policy, statuses, timeouts] of TABLE) {
    for (const [status, expected] of Object.entries(statuses)) {
      it(`${name}: ${status} for ever is repeated ${expected.length} times`, () => {
        assert.deepEqual(delays(policy, () => answer(Number(status))), expected);
      });
    }
    it(`${name}: timeouts are repeated ${timeouts.length} times`, () => {
      assert.deepEqual(delays(policy, () => ({})), timeouts);
    });
  }

  it("imds: the count goes by the first answer, the delay by each", () => {
    const mixed = (...statuses: number[]) => (i: number) => answer(statuses[i] ?? statuses.at(-1)!);
    assert.deepEqual(delays(imdsPolicy, mixed(404, 404, 200)), [1000, 2000]);
    assert.deepEqual(delays(imdsPolicy, mixed(410, 410, 410, 410, 200)), [1e4, 1e4, 1e4, 1e4]);
    assert.deepEqual(delays(imdsPolicy, mixed(500, 410, 500, 500)), [1000, 10_000, 4000]);
    assert.deepEqual(delays(imdsPolicy, mixed(410, 500, 500, 500, 500, 500, 500, 500)), [
      10_000,
      2000,
      4000,
      4000,
      4000,
      4000,
      4000,
    ]);
  });

  it("Retry-After is ignored, honoured or final, as the table says", () => {
    assert.deepEqual(delays(imdsPolicy, () => answer(503, 9000)), EXPONENTIAL);
    assert.deepEqual(delays(managedIdentityPolicy, () => answer(503, 3000)), [3000, 3000, 3000]);
    assert.deepEqual(delays(managedIdentityPolicy, () => answer(503, 10)), SECONDS);
    assert.deepEqual(delays(tokenEndpointPolicy, () => answer(503, 0)), []);
  });

  it("randomness adds at most a tenth", () => {
    assert.deepEqual(delays(imdsPolicy, () => answer(500), 0.5), [1050, 2100, 4200]);
    for (const wait of delays(imdsPolicy, () => answer(500), 0.999999)) {
      assert.ok(EXPONENTIAL.some((base) => wait > base && wait < base * 1.1));
    }
  });
});

describe("Retry-After", () => {
  const rows: [string | null, number | undefined][] = [
    [null, undefined],
    ["", undefined],
    ["soon", undefined],
    ["-1", undefined],
    ["1.5", undefined],
    ["0", 0],
    ["3", 3000],
    [" 3 ", 3000],
    ["3601", 3_600_000],
    ["9999999999", 3_600_000],
    ["99999999999", undefined],
    [new Date(NOW + 30_000).toUTCString(), 30_000],
    [new Date(NOW - 30_000).toUTCString(), 0],
    ["Tue, 99 Foo 2030 00:00:00 GMT", undefined],
    ["2030-01-01T00:00:30Z", undefined],
  ];
  for (const [value, expected] of rows) {
    it(`${JSON.stringify(value)} is ${expected}`, () => {
      assert.equal(parseRetryAfter(value, NOW), expected);
    });
  }
});

describe("throttling", () => {
  const rows: [status: number, retryAfter: number | undefined, until: number | undefined][] = [
    [429, undefined, NOW + 60_000],
    [429, 5000, NOW + 5000],
    [429, 0, undefined],
    [503, 5000, NOW + 5000],
    [503, undefined, undefined],
    [400, 5000, undefined],
    [200, 5000, undefined],
  ];
  for (const [status, retryAfter, until] of rows) {
    it(`after ${status} with ${retryAfter} holds back until ${until && until - NOW}`, () => {
      assert.equal(throttledUntil(status, retryAfter, NOW), until);
    });
  }
});
