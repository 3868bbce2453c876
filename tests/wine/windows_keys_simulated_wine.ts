/**
 * The key provider of Windows over the simulated KSP: which kind of key a host makes, how keys die
 * and are found dead (protocol.md section 2.2).
 *
 * @module
 */

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { windowsKeys } from "../../backends/windows/mod.ts";
import { windowsSystem } from "../../backends/windows/system.ts";
import { wide } from "../../backends/ffi/wide_text.ts";
import { hex, utf8 } from "../../src/encoding.ts";
import { type ErrorCode, isKeyboundError } from "../../src/errors.ts";
import type { KeyStrength } from "../../src/keys.ts";
import { verifySignature } from "../../src/x509/verify.ts";
import { type SimulatedHost, SimulatedKsp } from "./support/simulated_ksp.ts";

const ID = "KeyGuardRSAKey";
const DATA = utf8("to be signed");
const P256 = { algorithm: "P-256" } as const;
const ECDSA = "ecdsa_secp256r1_sha256";
const KEYGUARD: SimulatedHost = { vbs: true };

const isError = (code: ErrorCode) => (error: unknown) => isKeyboundError(error, code);

describe("windowsKeys over the simulated KSP", () => {
  let ksp: SimulatedKsp;
  before(async () => ksp = await SimulatedKsp.load());
  beforeEach(() => ksp.reset());
  after(() => ksp.reset());

  describe("makes the strongest kind of key", () => {
    const rows: [SimulatedHost, KeyStrength][] = [
      [{ vbs: true, tpm: "ready" }, "keyguard"],
      [{ vbs: true }, "keyguard"],
      [{ tpm: "ready" }, "hardware"],
      [{}, "software"],
      [{ tpm: "not_ready" }, "software"],
    ];
    for (const [host, expected] of rows) {
      it(`that a host with ${JSON.stringify(host)} has: ${expected}, and says why`, async () => {
        ksp.change(host);
        const keys = windowsKeys();
        const { strength, reasons } = await keys.choice();
        assert.equal(strength, expected);
        assert.equal(reasons.length, ["keyguard", "hardware", "software"].indexOf(expected));
        for (const reason of reasons) assert.match(reason, /^No '\w+' keys on this host: .+0x8/);
        assert.equal(ksp.keys(), 0, "The key it was found out with is gone.");
        assert.equal((await keys.create("k", P256)).strength, expected);
        assert.equal(ksp.keys(), 1);
        assert.equal(ksp.liveHandles(), 0);
      });
    }

    it("and no weaker one below a floor, saying what VBS said", async () => {
      const keys = windowsKeys({ minStrength: "keyguard" });
      await assert.rejects(keys.create(ID), (error) => {
        assert.ok(isKeyboundError(error, "min_strength_not_met"));
        assert.match(error.message, /VBS key isolation not available \(0x80890014\)/);
        return true;
      });
      assert.equal(ksp.keys(), 0);
    });

    it("and none in place of a dead one that is weaker", async () => {
      ksp.change(KEYGUARD);
      await windowsKeys().create("k", P256);
      ksp.change({ vbs: false });
      ksp.reboot();
      const keys = windowsKeys();
      await assert.rejects(keys.open("k"), isError("key_unusable"));
      await assert.rejects(keys.create("k", P256), isError("min_strength_not_met"));
      assert.equal(ksp.keys(), 1);
    });

    it("that it has since got, and removes those of every kind", async () => {
      await windowsKeys().create("k", P256);
      ksp.change(KEYGUARD);
      const keys = windowsKeys();
      assert.equal(await keys.open("k"), undefined);
      assert.equal((await keys.create("k", P256)).strength, "keyguard");
      assert.equal(ksp.keys(), 2);
      await keys.remove("k");
      assert.equal(ksp.keys(), 0);
    });

    it("and no weaker one for an algorithm that the stronger kind lacks", async () => {
      ksp.change({ tpm: "ready" });
      const keys = windowsKeys();
      await assert.rejects(keys.create("k", { algorithm: "RSA-3072" }), isError("unsupported_key"));
      assert.equal(keys.strength, "hardware");
      assert.equal(ksp.keys(), 0);
    });

    it("and doesn't take a key without protection for a KeyGuard key", async () => {
      const { ncrypt } = await windowsSystem();
      const out = new Uint8Array(8);
      const handle = () => new DataView(out.buffer).getBigUint64(0, true);
      ncrypt.NCryptOpenStorageProvider(out, wide("Microsoft Software Key Storage Provider"), 0);
      const provider = handle();
      const [algorithm, name] = [wide("ECDSA_P256"), wide(ID)];
      ncrypt.NCryptCreatePersistedKey(provider, out, algorithm, name, 0, 0);
      assert.equal(ncrypt.NCryptFinalizeKey(handle(), 0x40), 0);
      for (const open of [handle(), provider]) ncrypt.NCryptFreeObject(open);
      ksp.change(KEYGUARD);
      const keys = windowsKeys({ minStrength: "keyguard" });
      assert.equal(await keys.open(ID), undefined);
      assert.equal((await keys.create(ID, P256)).strength, "keyguard");
      assert.equal((await keys.open(ID))?.strength, "keyguard");
      assert.equal(ksp.keys(), 1);
    });

    it("and replaces none once whoever asked has left", async () => {
      ksp.change(KEYGUARD);
      const keys = windowsKeys();
      const key = await keys.create(ID, P256);
      const leaving = new AbortController();
      const creating = keys.create(ID, { ...P256, signal: leaving.signal });
      leaving.abort(new Error("enough"));
      await assert.rejects(creating, /enough/);
      await keys.remove("another"); // Behind what was under way.
      assert.equal(hex((await keys.open(ID))!.spki), hex(key.spki));
      assert.equal(ksp.liveHandles(), 0);
    });

    it("of the machine apart from those of the user", async () => {
      const key = await windowsKeys({ scope: "machine" }).create("k", P256);
      assert.equal(key.keyContainer.machine, true);
      assert.equal(await windowsKeys().open("k"), undefined);
      assert.notEqual(await windowsKeys({ scope: "machine" }).open("k"), undefined);
    });

    it("which offers PKCS#1 alone where its TPM lacks the PSS of TLS", async () => {
      ksp.change({ tpm: "ready", tpmPss: false });
      const key = await windowsKeys().create("k");
      assert.deepEqual(key.schemes, ["rsa_pkcs1_sha256"]);
      assert.deepEqual((await windowsKeys().open("k"))?.schemes, ["rsa_pkcs1_sha256"]);
    });
  });

  describe("finds dead", () => {
    const statuses = [0x80090020, 0x80090005, 0x8009000d, 0x80090016, 0x80090029, 0xdeadbeef];
    for (const deadAt of ["signature", "opening"] as const) {
      for (const deadStatus of statuses) {
        const says = `${deadAt} says 0x${deadStatus.toString(16)}`;
        it(`a KeyGuard key of another boot, where the ${says}, and replaces it`, async () => {
          ksp.change({ ...KEYGUARD, deadAt, deadStatus });
          const key = await windowsKeys().create(ID, P256);
          ksp.reboot();
          await assert.rejects(key.sign(ECDSA, DATA), isError("key_unusable"));
          assert.throws(() => key.signSync(ECDSA, DATA), isError("key_unusable"));
          const keys = windowsKeys();
          // A key that Windows doesn't open for want of one isn't there for it.
          if (deadAt === "opening" && deadStatus === 0x80090016) {
            assert.equal(await keys.open(ID), undefined);
          } else {
            await assert.rejects(keys.open(ID), isError("key_unusable"));
          }
          const successor = await keys.create(ID, P256);
          assert.equal(successor.strength, "keyguard");
          assert.notEqual(hex(successor.spki), hex(key.spki));
          assert.ok(
            await verifySignature(
              ECDSA,
              successor.spki,
              DATA,
              await successor.sign(ECDSA, DATA),
            ),
          );
          assert.equal(ksp.liveHandles(), 0);
        });
      }
    }

    it("no key that is kept over boots, and none that can't be reached", async () => {
      const key = await windowsKeys().create("k", P256);
      ksp.reboot();
      await key.sign(ECDSA, DATA);
      for (const name of ["NCryptOpenStorageProvider", "NCryptOpenKey", "NCryptSignHash"]) {
        ksp.fail(name, 0x800706ba);
        const isUnreachable = (error: unknown) =>
          isKeyboundError(error, "key_provider_unavailable") && error.retryable;
        await assert.rejects(key.sign(ECDSA, DATA), isUnreachable, name);
        await assert.rejects(windowsKeys().open("k"), isUnreachable, name);
        ksp.fail(name, 0);
      }
      assert.notEqual(await windowsKeys().open("k"), undefined);
      assert.equal(ksp.liveHandles(), 0);
    });

    it("a software key that is there and doesn't sign, by a status that proves it", async () => {
      const key = await windowsKeys().create("k", P256);
      const { container } = key.keyContainer;
      ksp.kill(container, 0x8009000d);
      await assert.rejects(key.sign(ECDSA, DATA), isError("key_unusable"));
      await assert.rejects(windowsKeys().open("k"), isError("key_unusable"));
      ksp.kill(container, 0x80090010);
      await assert.rejects(key.sign(ECDSA, DATA), isError("key_provider_unavailable"));
      ksp.kill(container, 0);
      assert.equal(hex((await windowsKeys().open("k"))!.spki), hex(key.spki));
    });

    it("a key that was removed, or replaced by one of any kind", async () => {
      const key = await windowsKeys().create("k", P256);
      await windowsKeys().remove("k");
      await assert.rejects(key.sign(ECDSA, DATA), isError("key_unusable"));
      for (const algorithm of ["P-256", "RSA-2048"] as const) {
        const replaced = await windowsKeys().create("k", P256);
        await windowsKeys().create("k", { algorithm });
        await assert.rejects(replaced.sign(ECDSA, DATA), isError("key_unusable"));
        assert.throws(() => replaced.signSync(ECDSA, DATA), isError("key_unusable"));
        await assert.rejects(replaced.withHandle(() => assert.fail()), isError("key_unusable"));
      }
      assert.equal(ksp.liveHandles(), 0);
    });
  });
});
