/**
 * What proves a key dead, and what proves nothing (design: healing rules 1 and 2).
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ManagedIdentity } from "../../src/managed_identity_options.ts";
import { type FakeAzure, fakeAzure, VAULT, wire } from "../support/fake_azure.ts";
import { until } from "../support/waiting.ts";
import { held, type ScriptedKeys, scriptedKeys, unusable } from "./support/scripted_keys.ts";

const OTHER = "https://management.azure.com";
const ALIAS = "system_assigned_managed_identity#att=0";
const MINUTE = 60_000;

/** When a key is asked for a proof, once a token has been had. */
const OCCASIONS: readonly [
  occasion: string,
  ask: (azure: FakeAzure, identity: ManagedIdentity) => Promise<unknown>,
][] = [
  ["its last proof has aged", async (azure, identity) => {
    await azure.clock.advance(6 * MINUTE);
    await identity.getToken({ resource: OTHER });
  }],
  ["the token endpoint's connection fails", async (azure, identity) => {
    azure.script("token", wire({}));
    await identity.getToken({ resource: OTHER });
  }],
  ["a resource server's connection fails", async (azure, identity) => {
    azure.script("resource", wire({}));
    await identity.fetch("https://my-vault.vault.azure.net/", { resource: VAULT });
  }],
  ["its certificate is loaded", (azure) => azure.identity().getToken({ resource: VAULT })],
  ["a certificate is to be asked for", async (azure) => {
    const [entry] = await azure.store.list(ALIAS);
    await azure.store.evict(ALIAS);
    await azure.identity().getToken({ resource: VAULT }).finally(() =>
      azure.store.put(ALIAS, entry!)
    );
  }],
];

async function host(): Promise<{ azure: FakeAzure; keys: ScriptedKeys }> {
  const keys = scriptedKeys();
  return { azure: await fakeAzure({ keys }), keys };
}

function emfile(): Promise<never> {
  return Promise.reject(Object.assign(new TypeError("too many open files"), { code: "EMFILE" }));
}

/** The runtime's WebCrypto, but for one that knows no verification. */
function cryptoWithoutVerify(isBroken: () => boolean): Crypto {
  const subtle = new Proxy(crypto.subtle, {
    get: (target, name) => {
      if (name === "verify" && isBroken()) {
        return () => Promise.reject(new DOMException("Not here.", "NotSupportedError"));
      }
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return new Proxy(crypto, {
    get: (target, name) => {
      if (name === "subtle") return subtle;
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** Nothing was minted or thrown away, and the key is the one there was. */
async function assertKept(azure: FakeAzure, spki: Uint8Array): Promise<void> {
  assert.equal(azure.counts().split("+")[1], "1", "nothing is minted");
  assert.equal(azure.events.some(({ type }) => type === "evict"), false, "nothing is evicted");
  assert.equal((await azure.store.list(ALIAS)).length, 1, "the certificate is kept");
  assert.deepEqual((await azure.keys.open("keybound"))!.spki, spki, "the key is kept");
}

describe("a key that fails to sign for a passing reason", () => {
  for (const [occasion, ask] of OCCASIONS) {
    it(`is out of reach, not dead when ${occasion}`, async () => {
      const { azure, keys } = await host();
      const identity = azure.identity();
      const { binding: { credential: { key } } } = await identity.getToken({ resource: VAULT });
      keys.onSign = emfile;
      await assert.rejects(ask(azure, identity), {
        code: "key_provider_unavailable",
        retryable: true,
      });
      await assertKept(azure, key.spki);
    });
  }

  it("works on with its certificate when the reason has passed", async () => {
    const { azure, keys } = await host();
    const identity = azure.identity();
    const { binding } = await identity.getToken({ resource: VAULT });
    await azure.clock.advance(6 * MINUTE);
    keys.onSign = emfile;
    await assert.rejects(identity.getToken({ resource: OTHER }));
    keys.onSign = (regular) => regular();
    assert.equal((await identity.getToken({ resource: OTHER })).binding, binding);
  });

  it("is out of reach when it doesn't answer in 10 seconds", async () => {
    const { azure, keys } = await host();
    const identity = azure.identity();
    const { binding } = await identity.getToken({ resource: VAULT });
    await azure.clock.advance(6 * MINUTE);
    let asked = false;
    keys.onSign = () => {
      asked = true;
      return new Promise(() => {});
    };
    let settled = false;
    const failing = identity.getToken({ resource: OTHER }).finally(() => settled = true);
    failing.catch(() => {});
    await until(() => asked);
    await azure.clock.advance(9_999);
    assert.equal(settled, false);
    await azure.clock.advance(1);
    await assert.rejects(failing, { code: "key_provider_unavailable", retryable: true });
    await assertKept(azure, binding.credential.key.spki);
  });
});

describe("a runtime that can't verify signatures", () => {
  for (const [occasion, ask] of OCCASIONS.slice(0, 3)) {
    it(`says so, and takes no key for dead when ${occasion}`, async () => {
      const { azure } = await host();
      let broken = false;
      const identity = azure.identity({ crypto: cryptoWithoutVerify(() => broken) });
      const { binding } = await identity.getToken({ resource: VAULT });
      broken = true;
      await assert.rejects(ask(azure, identity), { code: "unsupported_key" });
      await assertKept(azure, binding.credential.key.spki);
    });
  }
});

describe("a key that says it is of no more use", () => {
  for (const [occasion, ask] of OCCASIONS) {
    it(`is replaced, with its certificate when ${occasion}`, async () => {
      const { azure, keys } = await host();
      const identity = azure.identity();
      const { binding: { credential: { key } } } = await identity.getToken({ resource: VAULT });
      keys.onSign = unusable;
      keys.onCreate = (regular) => {
        keys.onSign = (sign) => sign();
        return regular();
      };
      await ask(azure, identity);
      assert.equal(azure.counts().split("+")[1], "2");
      assert.notDeepEqual((await azure.keys.open("keybound"))!.spki, key.spki);
    });
  }
});

describe("a key found dead by one caller", () => {
  it("is replaced though another's heal is in its cool-down at that moment", async () => {
    const { azure, keys } = await host();
    const identity = azure.identity({ probeInterval: 1 });
    const ask = (n: number) => identity.getToken({ resource: `https://r${n}.example` });
    azure.script("token", wire({}));
    const { binding } = await ask(0);
    assert.equal(azure.counts(), "2+2+2+0", "the cool-down has begun");
    await azure.clock.advance(1000);
    const wait = held();
    let isHeld = false;
    let signed = 0;
    keys.onSign = async (regular) => {
      const turn = ++signed;
      if (turn > 2) return await unusable();
      const signature = await regular();
      if (turn === 1) return signature;
      isHeld = true;
      await wait.promise;
      return signature;
    };
    keys.onCreate = (regular) => {
      keys.onSign = (sign) => sign();
      return regular();
    };
    azure.script("token", wire({}));
    const first = ask(1);
    first.catch(() => {});
    await until(() => isHeld);
    await azure.clock.advance(1000);
    const second = ask(2);
    second.catch(() => {});
    await until(() =>
      azure.events.some((event) => event.type === "probe" && event.outcome === "dead")
    );
    wait.release();
    await assert.rejects(first, { code: "tls_credential_suspect" });
    assert.notEqual((await second).binding, binding);
    assert.equal(azure.counts().split("+")[1], "3");
  });
});
