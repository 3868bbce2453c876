/**
 * The healing rules of the design (section 3), one by one.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KeyboundError } from "../../src/errors.ts";
import type { KeyProvider } from "../../src/keys.ts";
import { webcryptoKeys } from "../../backends/webcrypto/mod.ts";
import { fakeAzure, type Script, status, VAULT, wire } from "../support/fake_azure.ts";
import { settling } from "../support/waiting.ts";

const OTHER = "https://management.azure.com";
const MINUTE = 60_000;

const REJECTED: readonly [name: string, script: Script, code: string][] = [
  ["a TLS alert about the certificate", wire({ alert: 42 }), "tls_credential_rejected"],
  ["a reset of a fresh connection", wire({}), "tls_credential_suspect"],
  [
    "invalid_client",
    status(400, {
      error: "invalid_client",
      error_description: "AADSTS7000218",
      error_codes: [7000218],
    }),
    "invalid_client",
  ],
];

const NO_REASON: readonly [name: string, script: Script, code: string, requests: number][] = [
  ["429", status(429, { error: "temporarily_unavailable" }), "temporarily_unavailable", 1],
  ["500", status(500, {}), "service_not_available", 2],
  [
    "503 that says invalid_client",
    status(503, { error: "invalid_client" }),
    "service_not_available",
    2,
  ],
  ["invalid_request", status(400, { error: "invalid_request" }), "invalid_request", 1],
  ["unauthorized_client", status(401, { error: "unauthorized_client" }), "unauthorized_client", 1],
  ["invalid_scope", status(400, { error: "invalid_scope" }), "invalid_scope", 1],
  [
    "an unreachable server",
    wire({ signals: [{ code: "ECONNREFUSED" }] }),
    "network_unreachable",
    1,
  ],
  [
    "an untrusted server",
    wire({ signals: [{ code: "CERT_HAS_EXPIRED" }] }),
    "tls_server_untrusted",
    1,
  ],
  ["a reset once the response had started", wire({ responseStarted: true }), "connection_reset", 1],
  ["a reset of a reused connection", wire({ reusedConnection: true }), "connection_reset", 1],
  ["an alert about something else", wire({ alert: 80 }), "tls_protocol_error", 1],
];

describe("healing rule 2: a dead key", () => {
  it("is replaced, with its certificate and tokens, by one mint", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity();
    const { binding } = await identity.getToken({ resource: VAULT });
    await azure.keys.remove("keybound");
    await azure.clock.advance(5 * MINUTE + 1);
    const healed = await identity.getToken({ resource: OTHER });
    assert.equal(azure.counts(), "2+2+2+0");
    assert.notEqual(healed.binding.credential.thumbprint, binding.credential.thumbprint);
    assert.equal((await azure.store.list("system_assigned_managed_identity#att=0")).length, 1);
    assert.ok(azure.retired.includes(binding.credential.thumbprint));
    const evicted = azure.events.filter(({ type }) => type === "evict");
    assert.deepEqual(evicted.map((event) => "reason" in event && event.reason), ["key_dead"]);
    await identity.getToken({ resource: VAULT });
    assert.equal(azure.counts(), "2+2+3+0", "the old binding's token is gone with it");
  });

  it("is found when a stored certificate is loaded", async () => {
    const azure = await fakeAzure();
    await azure.identity().getToken({ resource: VAULT });
    await azure.keys.remove("keybound");
    await azure.identity().getToken({ resource: VAULT });
    assert.equal(azure.counts(), "2+2+2+0");
    assert.equal((await azure.store.list("system_assigned_managed_identity#att=0")).length, 1);
  });

  it("is told from a key that was made anew under the same name", async () => {
    const azure = await fakeAzure();
    await azure.identity().getToken({ resource: VAULT });
    await azure.keys.create("keybound", { algorithm: "P-256" });
    const { binding } = await azure.identity().getToken({ resource: VAULT });
    assert.equal(azure.counts(), "2+2+2+0");
    const key = await azure.keys.open("keybound");
    assert.deepEqual(binding.credential.key.spki, key!.spki, "the living key is kept");
    const evicted = azure.events.find(({ type }) => type === "evict");
    assert.equal(evicted !== undefined && "reason" in evicted && evicted.reason, "key_mismatch");
  });

  it("is found by a signature that doesn't verify", async () => {
    const inner = webcryptoKeys();
    let forging = false;
    const keys: KeyProvider = {
      name: "forging",
      open: async (id) => wrap(await inner.open(id)),
      create: async (id, options) => {
        forging = false;
        return wrap(await inner.create(id, options))!;
      },
      remove: (id) => inner.remove(id),
    };
    type Key = Awaited<ReturnType<KeyProvider["open"]>>;
    const wrap = (key: Key): Key =>
      key && {
        id: key.id,
        spki: key.spki,
        schemes: key.schemes,
        strength: key.strength,
        sign: async (scheme, data, options) => {
          const signature = await key.sign(scheme, data, options);
          if (forging) signature[signature.length - 1]! ^= 1;
          return signature;
        },
      };
    const azure = await fakeAzure({ keys });
    await azure.identity().getToken({ resource: VAULT });
    forging = true;
    await azure.identity().getToken({ resource: VAULT });
    assert.equal(azure.counts(), "2+2+2+0");
  });

  it("that dies again within the cool-down is an error, and is replaced after it", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity({ probeInterval: 1 });
    await identity.getToken({ resource: VAULT });
    // One that stays dead whatever happens: the token leg never proves its replacement.
    azure.always("token", status(400, { error: "invalid_scope" }));
    for (let i = 0; i < 2; i++) {
      await azure.keys.remove("keybound");
      await azure.clock.advance(1000);
      const code = i === 0 ? "invalid_scope" : "key_unusable";
      await assert.rejects(identity.getToken({ resource: OTHER }), { code });
    }
    assert.equal(azure.counts(), "2+2+2+0");
    await azure.clock.advance(MINUTE);
    azure.always("token", undefined);
    await identity.getToken({ resource: OTHER });
    assert.equal(azure.counts(), "3+3+3+0");
  });

  it("is nobody's fault when its device can't be reached: nothing is evicted", async () => {
    const inner = webcryptoKeys();
    let reachable = true;
    const keys: KeyProvider = {
      name: "removable",
      open: async (id) => {
        if (reachable) return await inner.open(id);
        throw new KeyboundError("key_provider_unavailable", "The token was removed.");
      },
      create: (id, options) => inner.create(id, options),
      remove: (id) => inner.remove(id),
    };
    const azure = await fakeAzure({ keys });
    await azure.identity().getToken({ resource: VAULT });
    reachable = false;
    const second = azure.identity();
    await assert.rejects(second.getToken({ resource: VAULT }), {
      code: "key_provider_unavailable",
    });
    assert.equal(azure.counts(), "1+1+1+0");
    assert.equal((await azure.store.list("system_assigned_managed_identity#att=0")).length, 1);
    reachable = true;
    await second.getToken({ resource: VAULT });
    assert.equal(azure.counts(), "1+1+2+0");
  });
});

describe("healing rule 1: proof by signature", () => {
  it("isn't asked for on a token-cache hit", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity();
    await identity.getToken({ resource: VAULT });
    await azure.clock.advance(60 * MINUTE);
    azure.forget();
    await identity.getToken({ resource: VAULT });
    assert.equal(azure.events.some(({ type }) => type === "probe"), false);
  });

  it("is asked for when the last proof is older than the interval, not before", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity();
    await identity.getToken({ resource: VAULT });
    azure.forget();
    await azure.clock.advance(5 * MINUTE);
    await identity.getToken({ resource: OTHER });
    assert.equal(azure.events.some(({ type }) => type === "probe"), false);
    await azure.clock.advance(5 * MINUTE + 1);
    await identity.getToken({ resource: "https://graph.microsoft.com" });
    const probes = azure.events.filter(({ type }) => type === "probe");
    assert.deepEqual(probes.map((event) => "trigger" in event && event.trigger), ["stale"]);
  });

  it("is asked for once by many callers", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity();
    await identity.getToken({ resource: VAULT });
    await azure.clock.advance(6 * MINUTE);
    azure.forget();
    await Promise.all(
      Array.from(
        { length: 20 },
        (_, i) => identity.getToken({ resource: `https://r${i}.example` }),
      ),
    );
    assert.equal(azure.events.filter(({ type }) => type === "probe").length, 1);
  });
});

describe("healing rule 3: a rejected binding", () => {
  for (const [name, script, code] of REJECTED) {
    it(`is replaced once after ${name}`, async () => {
      const azure = await fakeAzure();
      const identity = azure.identity();
      const before = await identity.getToken({ resource: VAULT });
      azure.forget();
      azure.script("token", script);
      const after = await identity.getToken({ resource: OTHER });
      assert.equal(azure.counts(), "1+1+2+0");
      assert.notEqual(after.binding, before.binding);
      assert.equal((await azure.store.list("system_assigned_managed_identity#att=0")).length, 1);
      const ids = new Set(
        azure.sent.map(({ headers }) =>
          headers.get("x-ms-client-request-id") ?? headers.get("client-request-id")
        ),
      );
      assert.equal(ids.size, 1, "one correlation id for all of it");
    });

    it(`surfaces the second failure unchanged after ${name}`, async () => {
      const azure = await fakeAzure();
      azure.always("token", script);
      await assert.rejects(azure.identity().getToken({ resource: VAULT }), { code });
      assert.equal(azure.counts(), "2+2+2+0");
    });

    it(`is kept when no successor can be had after ${name}`, async () => {
      const azure = await fakeAzure();
      const identity = azure.identity();
      const { binding } = await identity.getToken({ resource: VAULT });
      azure.script("token", script);
      azure.always("getplatformmetadata", status(400, { error: "invalid_request" }));
      await assert.rejects(identity.getToken({ resource: OTHER }), {
        code: "managed_identity_request_failed",
        status: 400,
      });
      azure.always("getplatformmetadata", undefined);
      const later = await identity.getToken({ resource: OTHER });
      assert.equal(later.binding, binding);
    });
  }

  it("whose key turns out to be dead is replaced with its key", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity();
    const { binding } = await identity.getToken({ resource: VAULT });
    await azure.keys.remove("keybound");
    azure.script("token", wire({}));
    const healed = await identity.getToken({ resource: OTHER });
    assert.notDeepEqual(healed.binding.credential.key.spki, binding.credential.key.spki);
    assert.equal(azure.counts(), "2+2+3+0");
  });

  it("that another process has replaced already is replaced by that one", async () => {
    const azure = await fakeAzure();
    const [here, there] = [azure.identity(), azure.identity()];
    await here.getToken({ resource: VAULT });
    await there.getToken({ resource: VAULT });
    await azure.clock.advance(1000);
    azure.script("token", wire({}));
    const theirs = await there.getToken({ resource: OTHER });
    assert.equal(azure.counts(), "2+2+4+0");
    azure.script("token", wire({}));
    const ours = await here.getToken({ resource: OTHER });
    assert.equal(azure.counts(), "2+2+6+0", "no mint of its own");
    assert.equal(ours.binding.credential.thumbprint, theirs.binding.credential.thumbprint);
  });
});

describe("healing rule 4: the cool-down", () => {
  it("lets a server that rejects everything cost one re-mint a minute", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity();
    azure.always("token", wire({ alert: 42 }));
    const ask = (i: number) => identity.getToken({ resource: `https://r${i}.example` });
    const first = await Promise.allSettled(Array.from({ length: 50 }, (_, i) => ask(i)));
    assert.ok(first.every(({ status }) => status === "rejected"));
    for (let i = 0; i < 20; i++) {
      await assert.rejects(ask(i), { code: "tls_credential_rejected" });
      await azure.clock.advance(2000);
    }
    assert.equal(azure.counts().split("+")[1], "2", "the first and one re-mint");
    await azure.clock.advance(20_000);
    await assert.rejects(ask(0));
    assert.equal(azure.counts().split("+")[1], "3");
  });

  it("holds though the re-mint helped: a reset can be an attacker's", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity();
    for (let i = 0; i < 10; i++) {
      azure.script("token", wire({}));
      await identity.getToken({ resource: `https://r${i}.example` }).catch(() => {});
      await azure.clock.advance(1000);
    }
    assert.equal(azure.counts().split("+")[1], "2");
  });

  it("isn't started by a re-mint that failed", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity();
    await identity.getToken({ resource: VAULT });
    azure.script("token", wire({}));
    azure.script("issuecredential", status(400, { error: "invalid_request" }));
    await assert.rejects(identity.getToken({ resource: OTHER }));
    azure.script("token", wire({}));
    await identity.getToken({ resource: OTHER });
    assert.equal(azure.counts().split("+")[1], "3");
  });

  it("is one for all who failed with the same binding", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity();
    const { binding: { credential: { thumbprint: old } } } = await identity.getToken({
      resource: VAULT,
    });
    azure.always("token", async (sent, regular) => {
      if (sent.thumbprint === old) return await wire({})(sent, regular);
      return await regular();
    });
    await Promise.all(
      Array.from(
        { length: 30 },
        (_, i) => identity.getToken({ resource: `https://r${i}.example` }),
      ),
    );
    assert.equal(azure.counts().split("+")[1], "2");
  });

  it("is of an alias: another identity's binding heals by itself", async () => {
    const azure = await fakeAzure();
    const first = azure.identity();
    const second = azure.identity({ clientId: "6325cd32-9911-41f3-819c-416cdf9104e7" });
    for (const identity of [first, second]) {
      azure.script("token", wire({}));
      await identity.getToken({ resource: VAULT });
    }
    assert.equal(azure.counts(), "4+4+4+0");
  });
});

describe("healing rule 5: what is no reason", () => {
  for (const [name, script, code, requests] of NO_REASON) {
    it(`keeps certificate and tokens after ${name}`, async () => {
      const azure = await fakeAzure();
      const identity = azure.identity();
      const { binding } = await identity.getToken({ resource: VAULT });
      azure.forget();
      azure.always("token", script);
      const failing = identity.getToken({ resource: OTHER });
      await assert.rejects(settling(azure, failing), { code });
      assert.equal(azure.counts(), `0+0+${requests}+0`);
      assert.equal(azure.events.some(({ type }) => type === "evict"), false);
      assert.equal((await identity.getToken({ resource: VAULT })).binding, binding);
    });
  }

  it("keeps certificate and tokens after a timeout, which is repeated once", async () => {
    const azure = await fakeAzure();
    const identity = azure.identity();
    const { binding } = await identity.getToken({ resource: VAULT });
    azure.forget();
    azure.always("token", () => new Promise(() => {}));
    const failing = identity.getToken({ resource: OTHER });
    failing.catch(() => {});
    await azure.clock.advance(29_999);
    assert.equal(azure.counts(), "0+0+1+0");
    await azure.clock.advance(1 + 1050);
    assert.equal(azure.counts(), "0+0+2+0");
    await azure.clock.advance(30_000);
    await assert.rejects(failing, { code: "request_timeout", retryable: true });
    assert.equal((await identity.getToken({ resource: VAULT })).binding, binding);
  });
});

describe("a store that fails", () => {
  it("is told in events and never in the way", async () => {
    const failing = () => Promise.reject(new KeyboundError("store_unavailable", "Disk full."));
    const store = { name: "full", list: failing, put: failing, evict: failing, lock: failing };
    const azure = await fakeAzure({ store });
    const identity = azure.identity();
    await identity.getToken({ resource: VAULT });
    azure.script("token", wire({}));
    await identity.getToken({ resource: OTHER });
    assert.equal(azure.counts(), "2+2+3+0");
    const operations = azure.events.flatMap((e) => e.type === "store" ? [e.operation] : []);
    assert.deepEqual(new Set(operations), new Set(["lock", "list", "put", "evict"]));
  });
});
