/**
 * When a key must prove itself and when a binding is replaced: the decisions alone.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ErrorCode } from "../../src/errors.ts";
import { healCause, isProbeDue, mayRemint, remembered } from "../../src/policy/healing.ts";
import {
  CLOCK_SKEW,
  hasLifeLeft,
  isInForce,
  minimumLifeLeft,
  renewalTime,
} from "../../src/policy/renewal.ts";
import { jitteredRefresh, refreshTime } from "../../src/policy/token_life.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

describe("what speaks against a binding", () => {
  it("is a rejected credential, a suspect reset, invalid_client or a dead key, and nothing else", () => {
    const rows: [ErrorCode, string | undefined][] = [
      ["tls_credential_rejected", "credential_rejected"],
      ["tls_credential_suspect", "connection_reset"],
      ["invalid_client", "invalid_client"],
      ["key_unusable", "key_dead"],
      ["connection_reset", undefined],
      ["invalid_request", undefined],
      ["network_unreachable", undefined],
      ["request_throttled", undefined],
      ["request_timeout", undefined],
      ["service_not_available", undefined],
      ["tls_protocol_error", undefined],
      ["tls_server_untrusted", undefined],
      ["token_not_bound", undefined],
      ["unauthorized_client", undefined],
    ];
    for (const [code, expected] of rows) assert.equal(healCause(code), expected, code);
  });
});

describe("a proof of the key", () => {
  it("counts for the interval, its end included, and not when the clock went back", () => {
    assert.equal(isProbeDue(1000, 1000, 500), false);
    assert.equal(isProbeDue(1000, 1500, 500), false);
    assert.equal(isProbeDue(1000, 1501, 500), true);
    assert.equal(isProbeDue(1000, 999, 500), true);
  });
});

describe("a re-mint", () => {
  it("is allowed once a cool-down, for each kind of cause by itself", () => {
    const history = remembered({}, "credential_rejected", 1000);
    for (const cause of ["credential_rejected", "connection_reset", "invalid_client"] as const) {
      assert.equal(mayRemint(history, cause, 1000 + MINUTE - 1, MINUTE), false, cause);
      assert.equal(mayRemint(history, cause, 1000 + MINUTE, MINUTE), true, cause);
    }
    assert.equal(mayRemint(history, "key_dead", 1000, MINUTE), true);
    const both = remembered(history, "key_dead", 2000);
    assert.deepEqual(both, { wire: 1000, probe: 2000 });
    assert.equal(mayRemint(both, "key_dead", 2000 + MINUTE - 1, MINUTE), false);
    assert.equal(mayRemint({}, "key_dead", 0, MINUTE), true);
  });

  it("is allowed when the clock went back", () => {
    assert.equal(mayRemint({ wire: 5000 }, "invalid_client", 4000, MINUTE), true);
  });
});

describe("a certificate's life", () => {
  const week = { notBefore: 0, notAfter: 7 * DAY };

  it("is renewed between 40 and 60 percent of it", () => {
    assert.equal(Math.round(renewalTime(week, 0)), Math.round(2.8 * DAY));
    assert.equal(renewalTime(week, 0.5), 3.5 * DAY);
    assert.ok(renewalTime(week, 0.999999) < 4.2 * DAY);
  });

  it("must have a quarter of it left, at most 24 hours, and more than that", () => {
    assert.equal(minimumLifeLeft(week), DAY);
    assert.equal(minimumLifeLeft({ notBefore: 0, notAfter: 8 * HOUR }), 2 * HOUR);
    assert.equal(hasLifeLeft(week, 6 * DAY - 1), true);
    assert.equal(hasLifeLeft(week, 6 * DAY), false);
  });

  it("starts with 5 minutes of grace for clocks, and ends without", () => {
    assert.equal(isInForce({ notBefore: DAY, notAfter: 2 * DAY }, DAY - CLOCK_SKEW), true);
    assert.equal(isInForce({ notBefore: DAY, notAfter: 2 * DAY }, DAY - CLOCK_SKEW - 1), false);
    assert.equal(isInForce({ notBefore: DAY, notAfter: 2 * DAY }, 2 * DAY - 1), true);
    assert.equal(isInForce({ notBefore: DAY, notAfter: 2 * DAY }, 2 * DAY), false);
  });
});

describe("a token's refresh", () => {
  it("goes by the server's advice, else by half-life above 2 hours", () => {
    assert.equal(refreshTime({ receivedOn: 0, expiresIn: DAY, refreshIn: HOUR }), HOUR);
    assert.equal(refreshTime({ receivedOn: 0, expiresIn: HOUR, refreshIn: DAY }), HOUR);
    assert.equal(refreshTime({ receivedOn: 0, expiresIn: 2 * HOUR }), undefined);
    assert.equal(refreshTime({ receivedOn: 5, expiresIn: 3 * HOUR }), 5 + 1.5 * HOUR);
  });

  it("is moved by at most 5 minutes or a tenth of the wait", () => {
    assert.equal(jitteredRefresh(12 * HOUR, 0, 0.5), 12 * HOUR);
    assert.equal(jitteredRefresh(12 * HOUR, 0, 0), 12 * HOUR - 5 * MINUTE);
    assert.ok(jitteredRefresh(12 * HOUR, 0, 0.999999) < 12 * HOUR + 5 * MINUTE);
    assert.equal(jitteredRefresh(10 * MINUTE, 0, 0), 9 * MINUTE);
  });
});
