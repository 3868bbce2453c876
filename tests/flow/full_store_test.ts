/**
 * A store that can't be written to costs nothing but the memory of the next run.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryStore } from "../../backends/memory/mod.ts";
import type { Clock } from "../../src/clock.ts";
import { KeyboundError } from "../../src/errors.ts";
import type { CertStore } from "../../src/stores.ts";
import { fakeAzure, VAULT } from "../support/fake_azure.ts";

describe("a store that keeps nothing", () => {
  const full = (clock: Clock): CertStore => ({
    ...memoryStore({ clock }),
    put: () => Promise.reject(new KeyboundError("store_unavailable", "Disk full.")),
  });
  const host = async () => {
    const azure = await fakeAzure();
    return { azure, identity: azure.identity({ store: full(azure.clock) }) };
  };

  it("costs one certificate when two callers come one after another", async () => {
    const { azure, identity } = await host();
    const first = await identity.getToken({ resource: VAULT });
    const second = await identity.getToken({ resource: "https://r.example" });
    assert.equal(azure.counts(), "1+1+2+0");
    assert.equal(second.binding, first.binding);
    assert.ok(azure.events.some((e) => e.type === "store" && e.operation === "put"));
  });

  it("costs one certificate when two callers come at the same time", async () => {
    const { azure, identity } = await host();
    const [first, second] = await Promise.all([
      identity.getToken({ resource: VAULT }),
      identity.getToken({ resource: "https://r.example" }),
    ]);
    assert.equal(azure.counts(), "1+1+2+0");
    assert.equal(second.binding, first.binding);
  });

  it("costs one certificate when two callers with different demands come at once", async () => {
    const { azure, identity } = await host();
    const [first, second] = await Promise.all([
      identity.getToken({ resource: VAULT, minStrength: "software" }),
      identity.getToken({ resource: VAULT }),
    ]);
    assert.equal(azure.counts(), "1+1+2+0");
    assert.equal(second.binding, first.binding);
  });
});
