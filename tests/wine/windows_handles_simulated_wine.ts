/**
 * The key provider of Windows over the simulated KSP: every handle is given back, whatever fails and
 * however often, as the simulated KSP and the system count them.
 *
 * @module
 */

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { type WindowsKeyProvider, windowsKeys } from "../../backends/windows/mod.ts";
import { utf8 } from "../../src/encoding.ts";
import { isKeyboundError } from "../../src/errors.ts";
import { type SimulatedHost, SimulatedKsp } from "./support/simulated_ksp.ts";

const ID = "KeyGuardRSAKey";
const DATA = utf8("to be signed");
const P256 = { algorithm: "P-256" } as const;
const KEYGUARD: SimulatedHost = { vbs: true };

describe("windowsKeys over the simulated KSP gives every handle back", () => {
  let ksp: SimulatedKsp;
  before(async () => ksp = await SimulatedKsp.load());
  beforeEach(() => ksp.reset());
  after(() => ksp.reset());

  const functions = [
    "NCryptOpenStorageProvider",
    "NCryptCreatePersistedKey",
    "NCryptSetProperty",
    "NCryptFinalizeKey",
    "NCryptGetProperty",
    "NCryptExportKey",
    "NCryptSignHash",
    "NCryptOpenKey",
    "NCryptDeleteKey",
  ];
  for (const name of functions) {
    it(`when ${name} fails`, async () => {
      ksp.change(KEYGUARD);
      const keys = windowsKeys();
      await keys.create("before", P256);
      const works: ((keys: WindowsKeyProvider) => Promise<unknown>)[] = [
        (each) => each.open("before"),
        (each) => each.create("k", P256),
        (each) => each.remove("before"),
        (each) => each.choice(),
      ];
      for (const status of [0x80090029, 0x80090020, 0x800706ba, 0x80090010]) {
        ksp.fail(name, status);
        for (const work of works) {
          for (const each of [keys, windowsKeys()]) {
            const [outcome] = await Promise.allSettled([work(each)]);
            if (outcome.status === "rejected") assert.ok(isKeyboundError(outcome.reason));
          }
        }
      }
      assert.equal(ksp.liveHandles(), 0);
    });
  }

  it("after the work that one was lent for, and no sooner", async () => {
    ksp.change(KEYGUARD);
    const key = await windowsKeys().create(ID, P256);
    await key.withHandle(async (handle) => {
      await Promise.resolve();
      assert.notEqual(handle, 0n);
      assert.equal(ksp.liveHandles(), 2, "the key's and its provider's");
    });
    assert.equal(ksp.liveHandles(), 0);
  });

  for (const algorithm of ["P-256", "RSA-2048"] as const) {
    it(`of 1,000 signatures by a ${algorithm} key, to the system, too`, async () => {
      const keys = windowsKeys();
      const key = await keys.create("k", { algorithm });
      const scheme = key.schemes[0]!;
      const cycles = async (count: number) => {
        for (let i = 0; i < count; i += 20) {
          await Promise.all(Array.from({ length: 10 }, () => key.sign(scheme, DATA)));
          for (let j = 0; j < 9; j++) key.signSync(scheme, DATA);
          await keys.open("k");
        }
      };
      // The threads that make the calls come first.
      await cycles(100);
      const before = ksp.processHandles();
      await cycles(1000);
      const more = ksp.processHandles() - before;
      assert.equal(ksp.liveHandles(), 0);
      assert.ok(more <= 20, `${more} handles more than ${before}`);
    });
  }
});
