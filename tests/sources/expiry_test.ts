/**
 * The forms of an expiry (protocol.md section 7.8).
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseExpiry } from "../../src/sources/expiry.ts";
import { EPOCH } from "../support/clock.ts";

describe("an expiry", () => {
  const rows: [unknown, number | undefined][] = [
    [undefined, undefined],
    [null, undefined],
    [true, undefined],
    [{}, undefined],
    ["", undefined],
    ["soon", undefined],
    ["-1", undefined],
    [-1, undefined],
    [1.5, undefined],
    [NaN, undefined],
    ["1e3", undefined],
    ["0x10", undefined],
    ["1234567890123", undefined],
    [0, EPOCH],
    ["0", EPOCH],
    [3600, EPOCH + 3_600_000],
    [" 3600 ", EPOCH + 3_600_000],
    [978_307_199, EPOCH + 978_307_199_000],
    [978_307_200, 978_307_200_000],
    ["1900000000", 1_900_000_000_000],
    ["2030-01-01T01:00:00Z", EPOCH + 3_600_000],
    ["2030-01-01t01:00:00z", EPOCH + 3_600_000],
    ["2030-01-01T01:00:00", EPOCH + 3_600_000],
    ["2030-01-01 01:00", EPOCH + 3_600_000],
    ["2030-01-01T01:00:00.5Z", EPOCH + 3_600_500],
    ["2030-01-01T01:00:00.1234567+00:00", EPOCH + 3_600_123],
    ["2030-01-01T01:00:00+01:00", EPOCH],
    ["2030-01-01T01:00:00-0130", EPOCH + 9_000_000],
    ["2028-02-29T00:00:00Z", Date.UTC(2028, 1, 29)],
    ["2030-02-29T00:00:00Z", undefined],
    ["2030-02-30T00:00:00Z", undefined],
    ["2030-13-01T00:00:00Z", undefined],
    ["2030-00-01T00:00:00Z", undefined],
    ["2030-01-00T00:00:00Z", undefined],
    ["2030-01-01T24:00:00Z", undefined],
    ["2030-01-01T00:60:00Z", undefined],
    ["2030-01-01T00:00:60Z", undefined],
    ["2030-01-01T00:00:00+15:00", undefined],
    ["2030-01-01T00:00:00+01:60", undefined],
    ["2030-01-01", undefined],
    ["01/01/2030 00:00:00", undefined],
    ["Tue, 01 Jan 2030 00:00:00 GMT", undefined],
  ];
  for (const [value, expected] of rows) {
    it(`of ${JSON.stringify(value)} is ${expected}`, () => {
      assert.equal(parseExpiry(value, EPOCH), expected);
    });
  }
});
