/**
 * What becomes of a stored certificate when the token with its key fails: the story that this
 * library exists for, with real tokens.
 *
 * @module
 */

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { detect } from "../../../backends/detect.ts";
import { pkcs11Keys, type Pkcs11Options } from "../../../backends/pkcs11/mod.ts";
import { type Emulator, spawnEmulator } from "../../../emulator/mod.ts";
import { type KeyboundEvent, managedIdentity, type ManagedIdentityOptions } from "../../../mod.ts";
import type { Token, TpmSwitch } from "../../../scripts/lib/tokens.mjs";

const VAULT = "https://vault.azure.net";
const KEY = "token-loss";

/** A token, and how it is reached. */
export interface TokenLossSubject {
  readonly token: Token | (Token & TpmSwitch);
  readonly pkcs11: Pkcs11Options;
}

/** Declares the tests. A token that can be switched off and cleared goes through that as well. */
export function describeTokenLoss({ token, pkcs11 }: TokenLossSubject): void {
  describe("a certificate whose key is in a token", () => {
    let emulator: Emulator;
    let directory: string;
    let events: KeyboundEvent[];
    const closing: (() => Promise<unknown>)[] = [];

    before(async () => {
      emulator = await spawnEmulator({ state: { acceptEc: true } });
    });
    after(async () => {
      await closeAll();
      await emulator.close();
      await rm(directory, { recursive: true, force: true });
    });
    beforeEach(async () => {
      await closeAll();
      directory = await mkdtemp(join(tmpdir(), "keybound-loss-"));
      await emulator.reset();
      await emulator.set({ acceptEc: true });
      events = [];
    });
    const closeAll = async () => {
      for (const close of closing.splice(0).reverse()) await close();
    };

    /** A new process, as far as the library can tell: nothing in memory, the same directory. */
    const restarted = async (options: Partial<ManagedIdentityOptions> = {}) => {
      const environment = { AZURE_POD_IDENTITY_AUTHORITY_HOST: emulator.metadata };
      const host = await detect({ directory, pkcs11, ca: emulator.ca, environment });
      const onEvent = (event: KeyboundEvent) => void events.push(event);
      const settings = { keyId: KEY, keyAlgorithm: "P-256", onEvent } as const;
      const identity = managedIdentity({ ...host, ...settings, ...options });
      closing.push(() => host.close(), () => identity.close());
      return identity;
    };
    const deleteKey = async () => {
      const others = pkcs11Keys(pkcs11);
      await others.remove(KEY);
      await others.close();
    };
    const ofType = (type: KeyboundEvent["type"]) => events.filter((event) => event.type === type);
    const mints = async () => (await emulator.counts()).issuecredential;

    it("is used again after a restart: one probe, no mint", async () => {
      const before = await (await restarted()).getToken({ resource: VAULT });
      events = [];
      const after = await (await restarted()).getToken({ resource: VAULT });
      const [one, other] = [before, after].map(({ binding }) => binding.credential.thumbprint);
      assert.equal(one, other);
      assert.equal(await mints(), 1);
      assert.deepEqual(ofType("probe").map((e) => e.type === "probe" && e.outcome), ["alive"]);
    });

    it("is replaced once after a restart when its key was deleted meanwhile", async () => {
      const before = await (await restarted()).getToken({ resource: VAULT });
      await deleteKey();
      events = [];
      const identity = await restarted();
      const after = await identity.getToken({ resource: VAULT });
      const [one, other] = [before, after].map(({ binding }) => binding.credential.thumbprint);
      assert.notEqual(one, other);
      assert.equal(await mints(), 2);
      assert.deepEqual(ofType("evict").map((e) => e.type === "evict" && e.reason), ["key_dead"]);
      const response = await identity.fetch(emulator.resource, { resource: VAULT });
      assert.equal(response.status, 200);
      await response.arrayBuffer();
      assert.equal(await mints(), 2);
    });

    it("is replaced while it is in use: one probe fails, one mint, the next call works", async () => {
      const identity = await restarted({ probeInterval: 1 });
      await identity.getToken({ resource: VAULT });
      await deleteKey();
      // A proof of the same millisecond would still count.
      const now = Date.now();
      while (Date.now() <= now + 1) await Promise.resolve();
      events = [];
      await identity.getToken({ resource: VAULT, forceRefresh: true });
      const outcomes = ofType("probe").map((e) => e.type === "probe" && e.outcome);
      assert.equal(outcomes.filter((outcome) => outcome === "dead").length, 1);
      assert.equal(await mints(), 2);
      await identity.getToken({ resource: VAULT, forceRefresh: true });
      assert.equal(await mints(), 2);
    });

    if ("clear" in token) {
      it("is kept while the TPM is away, with a clear error, and used when it is back", async () => {
        const before = await (await restarted()).getToken({ resource: VAULT });
        await token.stop();
        events = [];
        const identity = await restarted();
        await assert.rejects(identity.getToken({ resource: VAULT }), {
          code: "key_provider_unavailable",
        });
        assert.deepEqual(ofType("evict"), []);
        await token.start();
        const after = await identity.getToken({ resource: VAULT });
        const [one, other] = [before, after].map(({ binding }) => binding.credential.thumbprint);
        assert.equal(one, other);
        assert.equal(await mints(), 1);
      });

      it("is kept after the TPM was cleared until there is a token again, then replaced once", async () => {
        await (await restarted()).getToken({ resource: VAULT });
        await token.clear();
        events = [];
        const identity = await restarted();
        await assert.rejects(identity.getToken({ resource: VAULT }), {
          code: "key_provider_unavailable",
        });
        assert.deepEqual(ofType("evict"), []);
        assert.equal(await mints(), 1);
        await closeAll();
        await token.renew();
        const next = await restarted();
        await next.getToken({ resource: VAULT });
        assert.equal(await mints(), 2);
        assert.deepEqual(ofType("evict").map((e) => e.type === "evict" && e.reason), ["key_dead"]);
        await next.getToken({ resource: VAULT, forceRefresh: true });
        assert.equal(await mints(), 2);
      });
    }
  });
}
