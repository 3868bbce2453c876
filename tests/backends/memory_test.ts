/**
 * The store in memory.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memoryStore } from "../../backends/memory/mod.ts";
import { describeCertStore } from "../conformance/cert_store.ts";
import { issueCertificate } from "../support/certificates.ts";

describeCertStore(
  "memoryStore",
  (clock) => Promise.resolve({ store: memoryStore({ clock }) }),
  { name: "memory" },
);

describe("memoryStore", () => {
  it("shares nothing between two stores, locks included", async () => {
    const [one, other] = [memoryStore(), memoryStore()];
    const { der: certificate } = await issueCertificate();
    const binding = { certificate, endpoint: "https://mtlsauth.example/t", clientId: "id" };
    await one.put("alias", binding);
    assert.deepEqual(await other.list("alias"), []);
    const work = () => other.lock("alias", () => Promise.resolve("in"), { timeout: 0 });
    assert.equal(await one.lock("alias", work), "in");
  });

  it("lets waiters in in the order they came", async () => {
    const store = memoryStore();
    const order: number[] = [];
    await Promise.all([0, 1, 2, 3].map((i) =>
      store.lock("alias", () => {
        order.push(i);
        return Promise.resolve();
      })
    ));
    assert.deepEqual(order, [0, 1, 2, 3]);
  });
});
