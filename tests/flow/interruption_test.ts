/**
 * What ends must not go on in secret, and must not hold up what comes next.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { webcryptoKeys } from "../../backends/webcrypto/mod.ts";
import { KeyboundError } from "../../src/errors.ts";
import {
  claimingStrength,
  fakeAzure,
  type FakeEndpoint,
  status,
  VAULT,
  wire,
} from "../support/fake_azure.ts";
import { until } from "../support/waiting.ts";
import { held, scriptedKeys } from "./support/scripted_keys.ts";

const REASON = new Error("Called off by the test.");
const URL = "https://my-vault.vault.azure.net/secrets/s";

describe("work that hears no signal", () => {
  it("doesn't keep the store's lock once its caller has left: an attestor", async () => {
    const azure = await fakeAzure({ keys: claimingStrength(webcryptoKeys(), "keyguard") });
    let attestations = 0;
    const attest = () =>
      attestations++ === 0 ? new Promise<string>(() => {}) : Promise.resolve("a.b.c");
    const identity = azure.identity({ attestor: { name: "test", attest } });
    const controller = new AbortController();
    const { signal } = controller;
    const first = identity.getToken({ resource: VAULT, attest: true, signal });
    first.catch(() => {});
    await until(() => attestations === 1);
    controller.abort(REASON);
    await assert.rejects(first, REASON);
    const { binding } = await identity.getToken({ resource: VAULT, attest: true });
    assert.equal(binding.attested, true);
    assert.equal(azure.counts(), "2+1+1+0");
  });

  it("doesn't keep the store's lock once its caller has left: a key", async () => {
    const keys = scriptedKeys();
    const azure = await fakeAzure({ keys });
    const identity = azure.identity();
    let signing = false;
    keys.onSign = () => {
      signing = true;
      return new Promise(() => {});
    };
    const controller = new AbortController();
    const first = identity.getToken({ resource: VAULT, signal: controller.signal });
    first.catch(() => {});
    await until(() => signing);
    controller.abort(REASON);
    await assert.rejects(first, REASON);
    keys.onSign = (regular) => regular();
    await identity.getToken({ resource: VAULT });
    assert.equal(azure.counts(), "2+1+1+0");
  });
});

describe("a key that can't be made", () => {
  it("ends the metadata request beside it, and its repetitions", async () => {
    const keys = scriptedKeys();
    const azure = await fakeAzure({ keys });
    const wait = held();
    keys.onCreate = async () => {
      await wait.promise;
      throw new KeyboundError("key_provider_unavailable", "No device.");
    };
    azure.always("getplatformmetadata", status(410));
    const failing = azure.identity().getToken({ resource: VAULT });
    failing.catch(() => {});
    await until(() => azure.events.some(({ type }) => type === "retry"));
    wait.release();
    await assert.rejects(failing, { code: "key_provider_unavailable" });
    await azure.clock.advance(10 * 60_000);
    assert.equal(azure.counts(), "1+0+0+0");
    assert.equal(azure.events.filter(({ type }) => type === "retry").length, 1);
  });
});

describe("an identity that is closed", () => {
  const stages: [FakeEndpoint, string][] = [
    ["getplatformmetadata", "1+0+0+0"],
    ["issuecredential", "1+1+0+0"],
    ["token", "1+1+1+0"],
  ];
  for (const [endpoint, counts] of stages) {
    it(`ends what is under way at ${endpoint} and sends nothing more`, async () => {
      const azure = await fakeAzure();
      const identity = azure.identity();
      const wait = held();
      azure.always(endpoint, async (_sent, regular) => {
        await wait.promise;
        return await regular();
      });
      const pending = [
        identity.getToken({ resource: VAULT }),
        identity.fetch(URL, { resource: VAULT }),
      ];
      for (const one of pending) one.catch(() => {});
      await until(() => azure.counts() === counts);
      await identity.close();
      for (const one of pending) await assert.rejects(one, { code: "closed" });
      wait.release();
      await azure.clock.advance(10 * 60_000);
      assert.equal(azure.counts(), counts);
    });
  }

  it("repeats nothing more", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity();
    azure.always("getplatformmetadata", status(410));
    const pending = identity.getToken({ resource: VAULT });
    pending.catch(() => {});
    await until(() => azure.events.some(({ type }) => type === "retry"));
    await identity.close();
    await assert.rejects(pending, { code: "closed" });
    await azure.clock.advance(10 * 60_000);
    assert.equal(azure.counts(), "1+0+0+0");
  });

  it("mints nothing for a request to a resource server that fails afterwards", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity();
    const wait = held();
    azure.always("resource", async (sent, regular) => {
      await wait.promise;
      return await wire({})(sent, regular);
    });
    const pending = identity.fetch(URL, { resource: VAULT });
    pending.catch(() => {});
    await until(() => azure.counts() === "1+1+1+1");
    await azure.keys.remove("keybound");
    await identity.close();
    wait.release();
    await assert.rejects(pending, { code: "closed" });
    assert.equal(azure.counts(), "1+1+1+1");
  });

  it("answers no later call, not from memory either", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity();
    await identity.getToken({ resource: VAULT });
    azure.forget();
    await identity.close();
    const closed = { code: "closed" };
    await assert.rejects(identity.getToken({ resource: VAULT }), closed);
    await assert.rejects(identity.getToken({ resource: VAULT, forceRefresh: true }), closed);
    await assert.rejects(identity.fetch(URL, { resource: VAULT }), closed);
    await identity.close();
    assert.equal(azure.counts(), "0+0+0+0");
  });
});
