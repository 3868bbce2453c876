/**
 * Certificates that grow old (design: healing rule 6; protocol.md sections 3.3 and 10.4).
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DAY, fakeAzure, status, VAULT } from "../support/fake_azure.ts";
import { until } from "../support/waiting.ts";

const OTHER = "https://management.azure.com";
const HOUR = DAY / 24;
const ALIAS = "system_assigned_managed_identity#att=0";

describe("renewal", () => {
  it("starts at half of the certificate's life, in the background, and rotates", async () => {
    const azure = await fakeAzure();
    azure.settings.tokenLifetime = 6 * DAY;
    const identity = azure.identity();
    const old = await identity.getToken({ resource: VAULT });
    await azure.clock.advance(3.4 * DAY);
    await identity.getToken({ resource: OTHER });
    assert.equal(azure.counts(), "1+1+2+0");
    await azure.clock.advance(0.2 * DAY);
    const during = await identity.getToken({ resource: `${OTHER}/x` });
    assert.equal(during.binding, old.binding, "the old one works on");
    await until(() => azure.events.some(({ type }) => type === "renew"));
    assert.equal(azure.counts(), "2+2+3+0");
    assert.ok(azure.retired.includes(old.binding.credential.thumbprint), "its connections go");
    const after = await identity.getToken({ resource: `${OTHER}/y` });
    assert.notEqual(after.binding, old.binding);
    assert.equal((await azure.store.list(ALIAS)).length, 2, "the old one stays until it expires");
  });

  it("serves tokens of the old certificate while it fetches new ones", async () => {
    const azure = await fakeAzure();
    azure.settings.tokenLifetime = 6 * DAY;
    azure.settings.refreshIn = 6 * DAY;
    const identity = azure.identity();
    const old = await identity.getToken({ resource: VAULT });
    await azure.clock.advance(3.6 * DAY);
    await identity.getToken({ resource: OTHER });
    await until(() => azure.events.some(({ type }) => type === "renew"));
    const served = await identity.getToken({ resource: VAULT });
    assert.equal(served.accessToken, old.accessToken, "token and certificate stay a pair");
    assert.equal(served.binding, old.binding);
    await until(() => azure.events.some(({ type }) => type === "refresh"));
    const next = await identity.getToken({ resource: VAULT });
    assert.notEqual(next.binding, old.binding);
    assert.equal(next.fromCache, true);
  });

  it("is spread by randomness over a fifth of the life", async () => {
    for (
      const [random, day, renews] of [[0, 2.7, 0], [0, 2.9, 1], [0.999, 4.1, 0], [0.999, 4.3, 1]]
    ) {
      const azure = await fakeAzure();
      const identity = azure.identity({ random: () => random! });
      await identity.getToken({ resource: VAULT });
      await azure.clock.advance(day! * DAY);
      await identity.getToken({ resource: OTHER });
      if (renews! > 0) await until(() => azure.events.some(({ type }) => type === "renew"));
      assert.equal(azure.counts().split("+")[1], String(1 + renews!), `${random} on day ${day}`);
    }
  });

  it("that fails loses nothing, and is tried again 5 minutes later, not before", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity();
    const { binding } = await identity.getToken({ resource: VAULT });
    await azure.clock.advance(3.6 * DAY);
    azure.always("issuecredential", status(400, { error: "invalid_request" }));
    for (let i = 0; i < 5; i++) {
      const { binding: same } = await identity.getToken({ resource: `https://r${i}.example` });
      assert.equal(same, binding);
      await until(() => azure.events.some(({ type }) => type === "renew"));
    }
    const failed = azure.events.filter(({ type }) => type === "renew");
    assert.equal(failed.length, 1);
    assert.deepEqual(failed.map((e) => "outcome" in e && e.outcome), ["failed"]);
    await azure.clock.advance(5 * 60_000);
    azure.always("issuecredential", undefined);
    await identity.getToken({ resource: "https://r9.example" });
    await until(() => azure.events.filter(({ type }) => type === "renew").length === 2);
    assert.notEqual(
      (await identity.getToken({ resource: "https://r10.example" })).binding,
      binding,
    );
  });

  it("adopts what another process has renewed already", async () => {
    const azure = await fakeAzure();
    const [here, there] = [azure.identity(), azure.identity()];
    await here.getToken({ resource: VAULT });
    await there.getToken({ resource: VAULT });
    await azure.clock.advance(3.6 * DAY);
    for (const identity of [there, here]) {
      const renewed = azure.events.filter(({ type }) => type === "renew").length;
      await identity.getToken({ resource: OTHER });
      await until(() => azure.events.filter(({ type }) => type === "renew").length > renewed);
    }
    assert.equal(azure.counts().split("+")[1], "2");
  });
});

describe("a certificate with little life left", () => {
  it("isn't taken from memory or store with a quarter of its life left, or 24 h", async () => {
    const rows: [life: number, left: number, reused: boolean][] = [
      [7 * DAY, DAY + 60_000, true],
      [7 * DAY, DAY, false],
      [8 * HOUR, 2 * HOUR + 60_000, true],
      [8 * HOUR, 2 * HOUR, false],
    ];
    for (const [life, left, reused] of rows) {
      for (const fresh of [false, true]) {
        const azure = await fakeAzure();
        azure.settings.certificateLifetime = life;
        const first = azure.identity({ random: () => 0.999 });
        await first.getToken({ resource: VAULT });
        await azure.clock.advance(life - left);
        azure.always("getplatformmetadata", status(400));
        const asked = (fresh ? azure.identity() : first).getToken({ resource: OTHER });
        const name = `${life / HOUR} h, ${left / HOUR} h left, ${fresh ? "store" : "memory"}`;
        if (reused) await assert.doesNotReject(asked, name);
        else await assert.rejects(asked, { code: "managed_identity_request_failed" }, name);
      }
    }
  });

  it("is used for the token it was issued for, though it will not be kept", async () => {
    const azure = await fakeAzure();
    azure.settings.certificateLifetime = 10 * DAY;
    azure.settings.certificateBackdate = 9.5 * DAY;
    const identity = azure.identity();
    await identity.getToken({ resource: VAULT });
    await identity.getToken({ resource: VAULT });
    assert.equal(azure.counts(), "2+2+2+0");
    assert.equal((await azure.store.list(ALIAS)).length, 0);
  });

  it("takes its tokens out of service with it", async () => {
    const azure = await fakeAzure();
    azure.settings.tokenLifetime = 30 * DAY;
    azure.settings.refreshIn = 30 * DAY;
    const identity = azure.identity({ random: () => 0.999 });
    const { binding } = await identity.getToken({ resource: VAULT });
    await azure.clock.advance(6 * DAY);
    const next = await identity.getToken({ resource: VAULT });
    assert.notEqual(next.binding, binding);
    assert.equal(next.fromCache, false);
  });
});
