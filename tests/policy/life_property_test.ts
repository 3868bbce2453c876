/**
 * What holds for the life of every certificate and token.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  hasLifeLeft,
  isInForce,
  minimumLifeLeft,
  renewalTime,
  type Validity,
} from "../../src/policy/renewal.ts";
import { jitteredRefresh, refreshTime } from "../../src/policy/token_life.ts";

const DAY = 24 * 3_600_000;
const YEAR = 365 * DAY;

const moment = fc.integer({ min: 0, max: 100 * YEAR });
const validity: fc.Arbitrary<Validity> = fc.tuple(moment, fc.integer({ min: 1000, max: 3 * YEAR }))
  .map(([notBefore, life]) => ({ notBefore, notAfter: notBefore + life }));
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe("any certificate", () => {
  it("gets its successor between 40 and 60 percent of its life, before it may not be used", () => {
    fc.assert(fc.property(validity, random, (certificate, jitter) => {
      const { notBefore, notAfter } = certificate;
      const share = (renewalTime(certificate, jitter) - notBefore) / (notAfter - notBefore);
      assert.ok(share >= 0.4 - 1e-6 && share <= 0.6 + 1e-6, `${share}`);
      assert.equal(hasLifeLeft(certificate, renewalTime(certificate, jitter)), true);
    }));
  });

  it("once out of use stays so, and is out of use while it is still in force", () => {
    fc.assert(fc.property(validity, moment, moment, (certificate, a, b) => {
      const { notBefore, notAfter } = certificate;
      // Moments around this certificate's life.
      const [early, late] = [a, b].map((at) => notBefore + (at % (2 * (notAfter - notBefore))))
        .sort((x, y) => x - y) as [number, number];
      if (hasLifeLeft(certificate, late)) {
        assert.ok(isInForce(certificate, late));
        assert.ok(hasLifeLeft(certificate, early));
        assert.ok(notAfter - late > minimumLifeLeft(certificate));
      }
    }));
  });

  it("keeps at most a day, and at most a quarter of its life, unused", () => {
    fc.assert(fc.property(validity, (certificate) => {
      const left = minimumLifeLeft(certificate);
      assert.ok(left <= DAY && left <= (certificate.notAfter - certificate.notBefore) / 4);
      assert.ok(left > 0);
    }));
  });
});

describe("any token", () => {
  const seconds = fc.integer({ min: 1, max: 86_400 * 400 }).map((count) => count * 1000);
  const lifetime = fc.record({
    receivedOn: moment,
    expiresIn: seconds,
    refreshIn: fc.option(seconds, { nil: undefined }),
  });

  it("is refreshed within its life, moved by no more than 5 minutes or a tenth", () => {
    fc.assert(fc.property(lifetime, random, (life, jitter) => {
      const refreshOn = refreshTime(life);
      if (refreshOn === undefined) return;
      const { receivedOn, expiresIn } = life;
      assert.ok(refreshOn > receivedOn && refreshOn <= receivedOn + expiresIn);
      const moved = jitteredRefresh(refreshOn, receivedOn, jitter);
      assert.ok(moved > receivedOn, "refreshed before it came");
      const reach = Math.min(5 * 60_000, (refreshOn - receivedOn) / 10);
      // To the rounding of numbers of this size.
      assert.ok(Math.abs(moved - refreshOn) <= reach + 1e-3);
    }));
  });
});
