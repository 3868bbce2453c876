/**
 * `identity.capabilities()` (protocol.md section 7.9); how discovery goes, tests/sources has.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { webcryptoKeys } from "../../backends/webcrypto/mod.ts";
import type { KeyProvider } from "../../src/keys.ts";
import { claimingStrength, VAULT } from "../support/fake_azure.ts";
import { until } from "../support/waiting.ts";
import {
  type BearerHost,
  bearerHost,
  ENVIRONMENT_SOURCES,
  ENVIRONMENTS,
} from "./support/bearer_host.ts";

/** Makes the probe of version 2 find it. */
function withV2(host: BearerHost): BearerHost {
  host.settings.probe = () => new Response("{}", { status: 400 });
  return host;
}

/** A provider that counts the keys it is asked for, and says nothing of their strength beforehand. */
function counting(inner: KeyProvider) {
  const calls = { open: 0, create: 0 };
  const keys: KeyProvider = {
    name: inner.name,
    open: (...args) => {
      calls.open++;
      return inner.open(...args);
    },
    create: (...args) => {
      calls.create++;
      return inner.create(...args);
    },
    remove: (...args) => inner.remove(...args),
  };
  return { keys, calls };
}

describe("an identity's capabilities", () => {
  for (const [source, environment] of ENVIRONMENT_SOURCES) {
    it(`of ${source} are bearer tokens only, and nothing is asked`, async () => {
      const host = await bearerHost(environment);
      const found = await host.identity().capabilities();
      assert.deepEqual([found.source, found.boundTokens, found.strength], [source, false, "none"]);
      assert.deepEqual([host.probes.length, host.sent.length, host.azure.sent.length], [0, 0, 0]);
    });
  }

  it("are probed for with the identity's own selector, and cached", async () => {
    const host = withV2(await bearerHost(ENVIRONMENTS.Imds));
    const identity = host.identity({ objectId: "o" });
    const found = await identity.capabilities();
    assert.deepEqual(found, { source: "Imds", boundTokens: true, strength: "software" });
    assert.equal(await identity.capabilities(), found);
    assert.equal(host.probes.length, 1);
    assert.ok(host.probes[0]!.url.endsWith("cred-api-version=2.0&object_id=o"));
  });

  it("of nothing are looked for again after 60 seconds", async () => {
    const host = await bearerHost(ENVIRONMENTS.Imds);
    const identity = host.identity();
    assert.equal((await identity.capabilities()).source, undefined);
    await host.azure.clock.advance(59_999);
    assert.equal((await identity.capabilities()).source, undefined);
    assert.equal(host.probes.length, 2);
    withV2(host);
    await host.azure.clock.advance(1);
    assert.equal((await identity.capabilities()).source, "Imds");
  });

  it("of nothing aren't believed by a clock that was put back", async () => {
    const host = await bearerHost(ENVIRONMENTS.Imds);
    const { clock } = host.azure;
    let offset = 0;
    const identity = host.identity({
      clock: { now: () => clock.now() + offset, sleep: clock.sleep },
    });
    await identity.capabilities();
    withV2(host);
    offset = -3_600_000;
    assert.equal((await identity.capabilities()).source, "Imds");
  });

  it("are nothing after a second in which nobody answered, or the deadline given", async () => {
    for (const deadline of [undefined, 250] as const) {
      const host = await bearerHost(ENVIRONMENTS.Imds);
      host.settings.probe = () => new Promise(() => {});
      const ms = deadline ?? 1000;
      const identity = host.identity();
      const asked = identity.capabilities(deadline === undefined ? {} : { deadline });
      await until(() => host.probes.length === 1);
      let answered = false;
      asked.then(() => answered = true);
      await host.azure.clock.advance(ms - 1);
      assert.equal(answered, false);
      await host.azure.clock.advance(1);
      const { source, reason } = await asked;
      assert.equal(source, undefined);
      assert.match(reason!, new RegExp(` ${ms} ms`));
      assert.equal(host.azure.clock.sleepers, 0);
    }
  });

  it("whose caller leaves are no answer, and nothing is believed", async () => {
    const host = await bearerHost(ENVIRONMENTS.Imds);
    host.settings.probe = () => new Promise(() => {});
    const identity = host.identity();
    const controller = new AbortController();
    const reason = new Error("no longer wanted");
    const asked = identity.capabilities({ signal: controller.signal });
    asked.catch(() => {});
    await until(() => host.probes.length === 1);
    controller.abort(reason);
    await assert.rejects(asked, reason);
    await assert.rejects(identity.capabilities({ signal: controller.signal }), reason);
    withV2(host);
    assert.equal((await identity.capabilities()).source, "Imds");
    assert.equal((await identity.getToken({ resource: VAULT })).tokenType, "mtls_pop");
  });

  it("of a closed identity are refused", async () => {
    const host = withV2(await bearerHost(ENVIRONMENTS.Imds));
    const identity = host.identity();
    await identity.capabilities();
    await identity.close();
    await assert.rejects(identity.capabilities(), { code: "closed" });
  });

  it("refuse a deadline that is none", async () => {
    const host = await bearerHost(ENVIRONMENTS.Imds);
    for (const deadline of [0, -1, NaN, Infinity, 1.5]) {
      await assert.rejects(host.identity().capabilities({ deadline }), {
        code: "invalid_argument",
      });
    }
    assert.equal(host.probes.length, 0);
  });

  it("tell the strength that the provider says its keys have, without a look at them", async () => {
    const { keys, calls } = counting(webcryptoKeys());
    const host = withV2(
      await bearerHost(ENVIRONMENTS.Imds, { keys: { ...keys, strength: "hardware" } }),
    );
    assert.equal((await host.identity().capabilities()).strength, "hardware");
    assert.deepEqual(calls, { open: 0, create: 0 });
  });

  it("tell the strength of the key there is, and make none", async () => {
    for (const hasKey of [false, true]) {
      const { keys, calls } = counting(claimingStrength(webcryptoKeys(), "keyguard"));
      if (hasKey) await keys.create("keybound", { algorithm: "P-256" });
      calls.create = 0;
      const host = withV2(await bearerHost(ENVIRONMENTS.Imds, { keys }));
      const { strength } = await host.identity().capabilities();
      assert.equal(strength, hasKey ? "keyguard" : "software");
      assert.deepEqual(calls, { open: 1, create: 0 });
    }
  });

  it("are software where the provider fails", async () => {
    const { keys } = counting(webcryptoKeys());
    const open = () => Promise.reject(new Error("no driver"));
    const host = withV2(await bearerHost(ENVIRONMENTS.Imds, { keys: { ...keys, open } }));
    assert.equal((await host.identity().capabilities()).strength, "software");
  });
});
