/**
 * Keys that fail at the moments that the schedule found: on the wire, and when a request for a
 * certificate is signed.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { scriptedKeys, unusable } from "../flow/support/scripted_keys.ts";
import { fakeAzure, type Script, VAULT } from "../support/fake_azure.ts";
import { until } from "../support/waiting.ts";

const URL = "https://my-vault.vault.azure.net/secrets/s";

describe("a key that turns out to be gone on the wire", () => {
  const dying = async () => {
    const keys = scriptedKeys();
    const azure = await fakeAzure({ keys });
    const identity = azure.identity();
    await identity.getToken({ resource: VAULT });
    azure.forget();
    keys.onSign = unusable;
    // The handshake signs; the next key is a good one.
    const dead: Script = () => {
      keys.onCreate = async (regular) => {
        const key = await regular();
        keys.onSign = (sign) => sign();
        return key;
      };
      return unusable();
    };
    return { azure, identity, dead };
  };

  it("is replaced at once by the token leg, though its last proof is young", async () => {
    const { azure, identity, dead } = await dying();
    azure.script("token", dead);
    await identity.getToken({ resource: VAULT, forceRefresh: true });
    assert.equal(azure.counts(), "1+1+2+0");
    const evicted = azure.events.flatMap((event) => event.type === "evict" ? [event.reason] : []);
    assert.deepEqual(evicted, ["key_dead"]);
  });

  it("is replaced at once by a bound request, which is sent with a token of the new one", async () => {
    const { azure, identity, dead } = await dying();
    azure.script("resource", dead);
    const response = await identity.fetch(URL, { resource: VAULT });
    assert.equal(response.status, 200);
    assert.equal(azure.counts(), "1+1+1+2");
  });
});

describe("a key whose device falls silent when it is to sign the request for a certificate", () => {
  it("ends the call after 10 s, and the next one works", async () => {
    const keys = scriptedKeys();
    const azure = await fakeAzure({ keys });
    const identity = azure.identity();
    let signatures = 0;
    keys.onSign = () => {
      signatures++;
      return new Promise(() => {});
    };
    const asked = identity.getToken({ resource: VAULT });
    asked.catch(() => {});
    await until(() => signatures === 1);
    await azure.clock.advance(10_000);
    await assert.rejects(asked, { code: "key_provider_unavailable", retryable: true });
    keys.onSign = (sign) => sign();
    await identity.getToken({ resource: VAULT });
    assert.equal(azure.counts(), "2+1+1+0");
  });
});
