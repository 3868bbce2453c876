/**
 * Clocks that are put back, and answers that overtake one another.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Clock } from "../../src/clock.ts";
import { type FakeAzure, fakeAzure, status, VAULT } from "../support/fake_azure.ts";
import { until } from "../support/waiting.ts";
import { held } from "./support/scripted_keys.ts";

const HOUR = 3_600_000;

/** The fake's time, and how far this host is ahead of it. */
function skewed({ clock }: FakeAzure): Clock & { ahead: number } {
  const skewed = {
    ahead: 0,
    now: () => clock.now() + skewed.ahead,
    sleep: (ms: number, signal?: AbortSignal) => clock.sleep(ms, signal),
  };
  return skewed;
}

describe("a clock that is put back", () => {
  it("ends the life of a token received while it was ahead", async () => {
    const azure = await fakeAzure();
    const clock = skewed(azure);
    const identity = azure.identity({ clock });
    clock.ahead = 20 * HOUR;
    const first = await identity.getToken({ resource: VAULT });
    assert.equal((await identity.getToken({ resource: VAULT })).fromCache, true);
    clock.ahead = 0;
    const second = await identity.getToken({ resource: VAULT });
    assert.equal(second.fromCache, false);
    assert.notEqual(second.accessToken, first.accessToken);
    assert.equal((await identity.getToken({ resource: VAULT })).fromCache, true);
  });

  it("ends a pause that the server asked for while it was ahead", async () => {
    const azure = await fakeAzure();
    const clock = skewed(azure);
    const identity = azure.identity({ clock });
    clock.ahead = 20 * HOUR;
    azure.script(
      "token",
      status(429, { error: "temporarily_unavailable" }, { "retry-after": "600" }),
    );
    const expected = { code: "temporarily_unavailable" };
    await assert.rejects(identity.getToken({ resource: VAULT }), expected);
    await assert.rejects(identity.getToken({ resource: VAULT }), expected);
    assert.equal(azure.counts(), "1+1+1+0", "the pause holds");
    clock.ahead = 0;
    await identity.getToken({ resource: VAULT });
    assert.equal(azure.counts(), "1+1+2+0");
  });

  it("lets a dead key be replaced though the last replacement seems to lie ahead", async () => {
    const azure = await fakeAzure();
    const clock = skewed(azure);
    const identity = azure.identity({ clock });
    clock.ahead = HOUR;
    await identity.getToken({ resource: VAULT });
    await azure.keys.remove("keybound");
    clock.ahead = 2 * HOUR;
    await identity.getToken({ resource: "https://r1.example" });
    await azure.keys.remove("keybound");
    clock.ahead = 0;
    await identity.getToken({ resource: "https://r2.example" });
    assert.equal(azure.counts().split("+")[1], "3");
  });
});

describe("a token asked for before a claims challenge", () => {
  for (const kind of ["a first one", "a forced one"]) {
    it(`doesn't take the challenged one's place when it comes later: ${kind}`, async () => {
      const azure = await fakeAzure();
      const identity = azure.identity();
      await identity.getToken({ resource: "https://management.azure.com" });
      const wait = held();
      azure.script("token", async (_sent, regular) => {
        await wait.promise;
        return await regular();
      });
      const slow = identity.getToken({ resource: VAULT, forceRefresh: kind === "a forced one" });
      await until(() => azure.counts() === "1+1+2+0");
      await azure.clock.advance(1);
      const claims = '{"access_token":{"nbf":{"essential":true,"value":"1"}}}';
      const challenged = await identity.getToken({ resource: VAULT, claims });
      await azure.clock.advance(1);
      wait.release();
      assert.notEqual((await slow).accessToken, challenged.accessToken);
      const served = await identity.getToken({ resource: VAULT });
      assert.equal(served.fromCache, true);
      assert.equal(served.accessToken, challenged.accessToken);
    });
  }
});
