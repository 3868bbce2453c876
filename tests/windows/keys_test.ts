/**
 * Keys of Windows on simulated machines: which kind is made, and how keys die.
 *
 * @module
 */

import assert from "node:assert/strict";
import process from "node:process";
import { describe, it } from "node:test";
import { type WindowsKeyProvider, windowsKeys } from "../../backends/windows/mod.ts";
import { hex, utf8 } from "../../src/encoding.ts";
import { type ErrorCode, isKeyboundError } from "../../src/errors.ts";
import { isInKeyContainer, isNativeHandle, type KeyStrength } from "../../src/keys.ts";
import { verifySignature } from "../../src/x509/verify.ts";
import { type MachineOptions, SimulatedMachine } from "./support/machine.ts";

const ID = "KeyGuardRSAKey";
const DATA = utf8("to be signed");
const SOFTWARE = "Microsoft Software Key Storage Provider";
const PLATFORM = "Microsoft Platform Crypto Provider";

/** A new process on the machine, and its keys. */
function start(machine: SimulatedMachine, minStrength: KeyStrength = "software") {
  const windows = machine.process();
  const keys = windowsKeys({ minStrength, system: () => Promise.resolve(windows.system) });
  return { ...windows, keys };
}

const isError = (code: ErrorCode) => (error: unknown) => isKeyboundError(error, code);

/** Makes a key and gives its strength. */
async function strengthOn(options: MachineOptions): Promise<KeyStrength> {
  const { keys } = start(new SimulatedMachine(options));
  return (await keys.create("k", { algorithm: "P-256" })).strength;
}

describe("windowsKeys makes the strongest kind of key", () => {
  const rows: [MachineOptions, KeyStrength][] = [
    [{}, "keyguard"],
    [{ tpm: "absent" }, "keyguard"],
    [{ vbs: false }, "hardware"],
    [{ vbs: false, tpm: "absent" }, "software"],
    [{ vbs: false, tpm: "not_ready" }, "software"],
  ];
  for (const [options, expected] of rows) {
    it(`that a host with ${JSON.stringify(options)} has: ${expected}`, async () => {
      assert.equal(await strengthOn(options), expected);
    });

    it(`and says why, on a host with ${JSON.stringify(options)}`, async () => {
      const machine = new SimulatedMachine(options);
      const { keys, handles } = start(machine);
      const { strength, reasons } = await keys.choice();
      assert.equal(strength, expected);
      assert.equal(keys.strength, expected);
      assert.equal(reasons.length, ["keyguard", "hardware", "software"].indexOf(expected));
      for (const reason of reasons) assert.match(reason, /^No '\w+' keys on this host: .+0x8/);
      assert.equal(machine.keys.size, 0, "The key it was found out with is gone.");
      assert.equal(handles(), 0);
    });
  }

  it("with the names, flags and properties of protocol.md section 2.2", async () => {
    const machine = new SimulatedMachine();
    await start(machine).keys.create(ID);
    const [key] = machine.keys.values();
    assert.equal(key!.name, ID);
    assert.equal(key!.provider, SOFTWARE);
    assert.equal(key!.flags, 0x80 | 0x20000 | 0x40000);
    assert.deepEqual(Object.fromEntries(key!.properties), {
      "Length": 2048,
      "Export Policy": 0,
      "Key Usage": 0xffffff,
    });
  });

  it("in the TPM, for signatures only, where there is no VBS", async () => {
    const machine = new SimulatedMachine({ vbs: false });
    await start(machine).keys.create(ID, { algorithm: "P-256" });
    const [key] = machine.keys.values();
    assert.match(key!.name, /^keybound-hardware-[0-9a-f]{32}$/);
    assert.equal(key!.provider, PLATFORM);
    assert.equal(key!.flags, 0x80);
    const properties = Object.fromEntries(key!.properties);
    assert.deepEqual(properties, { "Export Policy": 0, "Key Usage": 2 });
  });

  it("of the machine where it is asked for them", async () => {
    const machine = new SimulatedMachine();
    const { system } = machine.process();
    const keys = windowsKeys({ scope: "machine", system: () => Promise.resolve(system) });
    const key = await keys.create(ID, { algorithm: "P-256" });
    assert.equal([...machine.keys.values()][0]!.flags & 0x20, 0x20);
    assert.equal(key.keyContainer.machine, true);
    assert.notEqual(await keys.open(ID), undefined);
    assert.equal(await start(machine).keys.open(ID), undefined);
  });
});

describe("windowsKeys with a floor", () => {
  for (const minStrength of ["keyguard", "hardware"] as const) {
    it(`of '${minStrength}' never makes a weaker key`, async () => {
      const machine = new SimulatedMachine({ vbs: false, tpm: "absent" });
      const { keys, handles } = start(machine, minStrength);
      assert.equal(await keys.open("k"), undefined);
      await assert.rejects(keys.create("k"), (error) => {
        assert.ok(isKeyboundError(error, "min_strength_not_met"));
        assert.match(error.message, /VBS key isolation not available/);
        return true;
      });
      await assert.rejects(keys.choice(), isError("min_strength_not_met"));
      assert.equal(machine.keys.size, 0);
      assert.equal(handles(), 0);
    });
  }

  it("of 'keyguard' says its strength before there is a key", () => {
    const { system } = new SimulatedMachine().process();
    const options = { system: () => Promise.resolve(system) };
    assert.equal(windowsKeys({ ...options, minStrength: "keyguard" }).strength, "keyguard");
    assert.equal(windowsKeys(options).strength, undefined);
  });

  it("opens no weaker key that is there", async () => {
    const machine = new SimulatedMachine({ vbs: false, tpm: "absent" });
    await start(machine).keys.create("k", { algorithm: "P-256" });
    assert.equal(await start(machine, "hardware").keys.open("k"), undefined);
    assert.equal((await start(machine).keys.open("k"))?.strength, "software");
  });
});

describe("windowsKeys and keys of several kinds", () => {
  it("gives way to a stronger kind that the host has since got", async () => {
    const machine = new SimulatedMachine({ vbs: false, tpm: "absent" });
    await start(machine).keys.create("k", { algorithm: "P-256" });
    machine.options.vbs = true;
    const { keys } = start(machine);
    assert.equal(await keys.open("k"), undefined);
    assert.equal((await keys.create("k", { algorithm: "P-256" })).strength, "keyguard");
  });

  it("keeps to its choice when the host loses it: no weaker key heals a dead one", async () => {
    const machine = new SimulatedMachine();
    const { keys } = start(machine);
    await keys.create("k", { algorithm: "P-256" });
    machine.options.vbs = false;
    machine.reboot();
    await assert.rejects(keys.open("k"), isError("key_unusable"));
    await assert.rejects(keys.create("k"), isError("unsupported_key"));
    assert.deepEqual([...machine.keys.values()].map(({ flags }) => flags & 0x20000), [0x20000]);
  });

  it("replaces a dead key by none that is weaker", async () => {
    const machine = new SimulatedMachine();
    await start(machine).keys.create("k", { algorithm: "P-256" });
    machine.options.vbs = false;
    machine.reboot();
    const { keys } = start(machine);
    await assert.rejects(keys.open("k"), isError("key_unusable"));
    await assert.rejects(keys.create("k", { algorithm: "P-256" }), (error) => {
      assert.ok(isKeyboundError(error, "min_strength_not_met"));
      assert.match(error.message, /remove the 'keyguard' key that died and start anew/);
      return true;
    });
    assert.equal(machine.keys.size, 1);
    await keys.remove("k");
    const { strength } = await start(machine).keys.create("k", { algorithm: "P-256" });
    assert.equal(strength, "hardware");
  });

  it("leaves no key that was made to find out and couldn't be judged", async () => {
    const machine = new SimulatedMachine();
    machine.faults.set("NCryptSignHash", 0x800706ba);
    await assert.rejects(start(machine).keys.choice(), isError("key_provider_unavailable"));
    assert.equal(machine.keys.size, 0);
  });

  it("replaces a dead key by a stronger one where the host makes it", async () => {
    const machine = new SimulatedMachine({ vbs: false, tpm: "absent" });
    await start(machine).keys.create("k", { algorithm: "P-256" });
    machine.options.vbs = true;
    machine.faults.set("NCryptSignHash", 0x80090005);
    const { keys } = start(machine);
    await assert.rejects(keys.open("k"), isError("key_unusable"));
    machine.faults.clear();
    assert.equal((await keys.create("k", { algorithm: "P-256" })).strength, "keyguard");
  });

  it("makes no weaker key for an algorithm that the stronger kind lacks", async () => {
    const machine = new SimulatedMachine({ vbs: false });
    const { keys } = start(machine);
    await assert.rejects(keys.create("k", { algorithm: "RSA-3072" }), isError("unsupported_key"));
    assert.equal(keys.strength, "hardware");
    assert.equal(machine.keys.size, 0);
  });

  it("makes no weaker key where a stronger one was made and doesn't sign", async () => {
    const machine = new SimulatedMachine();
    machine.faults.set("NCryptSignHash", 0x80090010);
    const { keys } = start(machine);
    const isDenied = isError("key_provider_unavailable");
    await assert.rejects(keys.create("k", { algorithm: "P-256" }), isDenied);
    assert.ok([...machine.keys.values()].every(({ flags }) => (flags & 0x20000) !== 0));
  });

  it("removes a key of every kind", async () => {
    const machine = new SimulatedMachine({ vbs: false, tpm: "absent" });
    await start(machine).keys.create("k", { algorithm: "P-256" });
    machine.options.vbs = true;
    const { keys } = start(machine);
    await keys.create("k", { algorithm: "P-256" });
    assert.equal(machine.keys.size, 2);
    await keys.remove("k");
    assert.equal(machine.keys.size, 0);
  });

  it("doesn't take a key without protection for a KeyGuard key, and replaces it", async () => {
    const machine = new SimulatedMachine({ vbs: false, tpm: "absent" });
    await start(machine).keys.create("k", { algorithm: "P-256" });
    const [planted] = machine.keys.values();
    machine.keys.set(`false ${SOFTWARE} keyguardrsakey`, { ...planted!, name: ID });
    machine.options.vbs = true;
    const { keys } = start(machine, "keyguard");
    assert.equal(await keys.open(ID), undefined);
    assert.equal((await keys.create(ID, { algorithm: "P-256" })).strength, "keyguard");
    assert.equal((await keys.open(ID))?.strength, "keyguard");
  });
});

describe("a key of Windows", () => {
  const P256 = { algorithm: "P-256" } as const;

  for (const dead of [0x80090020, 0x80090005, 0x80090016, 0x80090029, 0xdeadbeef]) {
    it(`of another boot is dead, whatever Windows says (0x${dead.toString(16)})`, async () => {
      const machine = new SimulatedMachine();
      machine.deadStatus = dead;
      const { keys, handles } = start(machine);
      const key = await keys.create(ID, P256);
      machine.reboot();
      await assert.rejects(key.sign("ecdsa_secp256r1_sha256", DATA), isError("key_unusable"));
      await assert.rejects(keys.open(ID), isError("key_unusable"));
      const successor = await keys.create(ID, P256);
      assert.equal(successor.strength, "keyguard");
      assert.notEqual(hex(successor.spki), hex(key.spki));
      assert.equal(handles(), 0);
    });
  }

  it("that can't be reached isn't dead", async () => {
    const machine = new SimulatedMachine();
    const { keys, handles } = start(machine);
    const key = await keys.create(ID, P256);
    for (const name of ["NCryptOpenStorageProvider", "NCryptOpenKey", "NCryptSignHash"]) {
      machine.faults.set(name, 0x800706ba);
      const isUnreachable = (error: unknown) =>
        isKeyboundError(error, "key_provider_unavailable") && error.retryable;
      await assert.rejects(key.sign("ecdsa_secp256r1_sha256", DATA), isUnreachable, name);
      await assert.rejects(keys.open(ID), isUnreachable, name);
      machine.faults.clear();
    }
    assert.notEqual(await keys.open(ID), undefined);
    assert.equal(handles(), 0);
  });

  it("that another process has replaced is unusable, and never signs with its successor", async () => {
    const machine = new SimulatedMachine();
    const { keys } = start(machine);
    for (const algorithm of ["P-256", "RSA-2048"] as const) {
      const key = await keys.create(ID, P256);
      await start(machine).keys.create(ID, { algorithm });
      await assert.rejects(key.sign("ecdsa_secp256r1_sha256", DATA), isError("key_unusable"));
      assert.throws(() => key.signSync("ecdsa_secp256r1_sha256", DATA), isError("key_unusable"));
      await assert.rejects(key.withHandle(() => assert.fail("lent")), isError("key_unusable"));
    }
  });

  it("is thrown away at once when it doesn't sign though it was just made", async () => {
    const machine = new SimulatedMachine();
    const { keys, handles } = start(machine, "keyguard");
    await keys.choice();
    machine.faults.set("NCryptSignHash", 0x80090020);
    await assert.rejects(keys.create(ID, P256), isError("key_provider_unavailable"));
    machine.faults.clear();
    assert.equal(await keys.open(ID), undefined);
    assert.equal(handles(), 0);
  });

  it("of a TPM without the PSS of TLS offers PKCS#1 alone", async () => {
    const { keys } = start(new SimulatedMachine({ vbs: false, tpmPss: false }));
    const key = await keys.create("k");
    assert.deepEqual(key.schemes, ["rsa_pkcs1_sha256"]);
    assert.deepEqual((await keys.open("k"))?.schemes, ["rsa_pkcs1_sha256"]);
  });

  it("is proved by one signature when it is opened", async () => {
    const machine = new SimulatedMachine();
    await start(machine).keys.create(ID, P256);
    machine.calls.length = 0;
    await start(machine).keys.open(ID);
    assert.equal(machine.calls.filter((name) => name === "NCryptSignHash").length, 1);
  });

  it("signs without a promise", async () => {
    const { keys, handles } = start(new SimulatedMachine());
    const key = await keys.create(ID);
    const signature = key.signSync("rsa_pss_rsae_sha256", DATA);
    assert.ok(await verifySignature("rsa_pss_rsae_sha256", key.spki, DATA, signature));
    assert.throws(
      () => key.signSync("ecdsa_secp256r1_sha256", DATA),
      isError("unsupported_scheme"),
    );
    assert.equal(handles(), 0);
  });

  it("lends its handle as long as the work takes, and says where it is", async () => {
    const { keys, handles } = start(new SimulatedMachine());
    const key = await keys.create(ID, P256);
    assert.ok(isNativeHandle(key) && isInKeyContainer(key));
    const lent = await key.withHandle(async (handle) => {
      await Promise.resolve();
      assert.equal(handles(), 2);
      return handle;
    });
    assert.notEqual(lent, 0n);
    await assert.rejects(key.withHandle(() => Promise.reject(new Error("mine"))), /mine/);
    assert.equal(handles(), 0);
    assert.deepEqual(key.keyContainer, {
      container: ID,
      provider: SOFTWARE,
      providerType: 0,
      keySpec: 0,
      machine: false,
    });
    assert.deepEqual(keys.containerOf(key.spki), key.keyContainer);
    assert.equal(keys.containerOf(Uint8Array.of(1)), undefined);
  });

  it("is the same one for all who make it at once: the last one's", async () => {
    const machine = new SimulatedMachine();
    const processes = Array.from({ length: 4 }, () => start(machine));
    const made = await Promise.all(processes.map(({ keys }) => keys.create(ID, P256)));
    const left = await start(machine).keys.open(ID);
    assert.ok(left !== undefined);
    for (const { spki } of made) assert.equal(hex(spki), hex(left.spki));
    assert.ok(processes.every(({ handles }) => handles() === 0));
  });

  it("isn't replaced when whoever asked has left before it was made", async () => {
    const machine = new SimulatedMachine();
    const { keys, handles } = start(machine);
    const key = await keys.create(ID, P256);
    const leaving = new AbortController();
    const creating = keys.create(ID, { ...P256, signal: leaving.signal });
    leaving.abort(new Error("enough"));
    await assert.rejects(creating, /enough/);
    assert.equal(hex((await keys.open(ID))!.spki), hex(key.spki));
    await keys.remove("another"); // Behind what was under way.
    assert.equal(handles(), 0);
  });
});

describe("every handle is given back", () => {
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
    for (const status of [0x80090029, 0x80090020, 0x800706ba, 0x80090010]) {
      it(`when ${name} returns 0x${status.toString(16)}`, async () => {
        const machine = new SimulatedMachine();
        const { keys, handles } = start(machine);
        await keys.create("before", { algorithm: "P-256" });
        machine.faults.set(name, status);
        const fresh = start(machine);
        const works: ((keys: WindowsKeyProvider) => Promise<unknown>)[] = [
          (each) => each.open("before"),
          (each) => each.create("k", { algorithm: "P-256" }),
          (each) => each.remove("before"),
          (each) => each.choice(),
        ];
        for (const work of works) {
          for (const each of [keys, fresh.keys]) {
            const [outcome] = await Promise.allSettled([work(each)]);
            if (outcome.status === "rejected") assert.ok(isKeyboundError(outcome.reason));
          }
        }
        assert.equal(handles() + fresh.handles(), 0);
      });
    }
  }
});

if (process.platform !== "win32") {
  describe("windowsKeys on another system", () => {
    it("says so when it is asked for a key, and not before", async () => {
      const keys = windowsKeys();
      for (const call of [() => keys.open("k"), () => keys.create("k"), () => keys.remove("k")]) {
        await assert.rejects(call(), isError("key_provider_unavailable"));
      }
    });
  });
}
