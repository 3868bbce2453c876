/**
 * Cancellation stays cancellation, and costs nobody else anything (protocol.md appendix B3).
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fakeAzure, type FakeEndpoint, VAULT } from "../support/fake_azure.ts";
import { until } from "../support/waiting.ts";

const REASON = new Error("Called off by the test.");

describe("an aborted acquisition", () => {
  it("that was aborted before it began sends nothing", async () => {
    const azure = await fakeAzure();
    const asked = azure.identity().getToken({ resource: VAULT, signal: AbortSignal.abort(REASON) });
    await assert.rejects(asked, REASON);
    assert.equal(azure.counts(), "0+0+0+0");
  });

  const stages: [FakeEndpoint, string][] = [
    ["getplatformmetadata", "1+0+0+0"],
    ["issuecredential", "1+1+0+0"],
    ["token", "1+1+1+0"],
  ];
  for (const [endpoint, counts] of stages) {
    it(`ends with the signal's reason at ${endpoint}, and leaves a working identity`, async () => {
      const azure = await fakeAzure();
      const identity = azure.identity();
      azure.always(endpoint, () => new Promise(() => {}));
      const controller = new AbortController();
      const asked = identity.getToken({ resource: VAULT, signal: controller.signal });
      asked.catch(() => {});
      await until(() => azure.counts() === counts);
      controller.abort(REASON);
      await assert.rejects(asked, REASON);
      azure.always(endpoint, undefined);
      await identity.getToken({ resource: VAULT });
      assert.equal(azure.events.some(({ type }) => type === "evict"), false);
    });
  }

  it("ends with the signal's reason while it waits for a repetition", async () => {
    const azure = await fakeAzure();
    azure.always("getplatformmetadata", () => new Response(null, { status: 503 }));
    const controller = new AbortController();
    const asked = azure.identity().getToken({ resource: VAULT, signal: controller.signal });
    asked.catch(() => {});
    await until(() => azure.events.some(({ type }) => type === "retry"));
    controller.abort(REASON);
    await assert.rejects(asked, REASON);
    await azure.clock.advance(60_000);
    assert.equal(azure.counts(), "1+0+0+0", "nobody is left to repeat for");
  });

  it("doesn't end another's that shares its requests", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity();
    let release = () => {};
    const held = new Promise<void>((resolve) => release = resolve);
    azure.script("token", async (_sent, regular) => {
      await held;
      return await regular();
    });
    const controller = new AbortController();
    const first = identity.getToken({ resource: VAULT, signal: controller.signal });
    const second = identity.getToken({ resource: VAULT });
    first.catch(() => {});
    await until(() => azure.counts() === "1+1+1+0");
    controller.abort(REASON);
    await assert.rejects(first, REASON);
    release();
    assert.equal((await second).tokenType, "mtls_pop");
    assert.equal(azure.counts(), "1+1+1+0");
  });

  it("starts anew when the next one comes after everybody has left", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity();
    azure.script("getplatformmetadata", () => new Promise(() => {}));
    const controller = new AbortController();
    const first = identity.getToken({ resource: VAULT, signal: controller.signal });
    first.catch(() => {});
    await until(() => azure.counts() === "1+0+0+0");
    controller.abort(REASON);
    await assert.rejects(first, REASON);
    await identity.getToken({ resource: VAULT });
    assert.equal(azure.counts(), "2+1+1+0");
  });

  it("doesn't end a refresh in the background that it set off", async () => {
    const azure = await fakeAzure();
    azure.settings.refreshIn = 3_600_000;
    const identity = azure.identity();
    await identity.getToken({ resource: VAULT });
    await azure.clock.advance(3_600_000);
    const controller = new AbortController();
    await identity.getToken({ resource: VAULT, signal: controller.signal });
    controller.abort(REASON);
    await until(() => azure.events.some(({ type }) => type === "refresh"));
    const refresh = azure.events.find(({ type }) => type === "refresh");
    assert.equal(refresh !== undefined && "outcome" in refresh && refresh.outcome, "done");
  });
});
