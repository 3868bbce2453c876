/**
 * The certificate store of Windows on a simulated machine: what .NET's library finds there, orphans,
 * the purge, and the mutex (protocol.md sections 2.3, 3.4, 10.3 and 10.6).
 *
 * @module
 */

import assert from "node:assert/strict";
import process from "node:process";
import { describe, it } from "node:test";
import { type StoreScope, windowsKeys, windowsStore } from "../../backends/windows/mod.ts";
import { withCertificates } from "../../backends/windows/certificates.ts";
import { mutexName } from "../../backends/windows/names.ts";
import { isOfManagedIdentity } from "../../backends/windows/purge.ts";
import { type Bytes, hex } from "../../src/encoding.ts";
import { type ErrorCode, isKeyboundError } from "../../src/errors.ts";
import { drive, manualClock } from "../support/clock.ts";
import type { ProvInfo } from "./support/crypt32.ts";
import { type MachineOptions, SimulatedMachine } from "./support/machine.ts";
import { ALIAS, binding, CLIENT_ID, ENDPOINT, issue, ISSUER } from "./support/bindings.ts";

const P256 = { algorithm: "P-256" } as const;

const isError = (code: ErrorCode) => (error: unknown) => isKeyboundError(error, code);

/** A machine with one process, its keys and its store. */
function host(options: MachineOptions = {}, scope: StoreScope = "user") {
  const machine = new SimulatedMachine(options);
  const clock = manualClock();
  const start = () => {
    const { system: windows, ...rest } = machine.process();
    const system = () => Promise.resolve(windows);
    const keys = windowsKeys({ scope, system });
    return { ...rest, windows, keys, store: windowsStore({ keys, scope, clock, system }) };
  };
  return { machine, clock, start, ...start() };
}

/** What .NET's library writes: a friendly name and where the key is. */
function plant(
  machine: SimulatedMachine,
  der: Bytes,
  friendlyName: string,
  place?: Partial<ProvInfo>,
): void {
  const text = `${friendlyName}\0`.split("");
  const name = new Uint8Array(Uint16Array.from(text, (c) => c.charCodeAt(0)).buffer);
  const properties = new Map<number, unknown>([[11, name]]);
  const provider = "Microsoft Software Key Storage Provider";
  const info = { container: "k", provider, type: 0, flags: 0, keySpec: 0 };
  if (place !== undefined) properties.set(2, { ...info, ...place });
  machine.certificates["user"]!.push({ der, properties });
}

const NAME = `MSAL|alias=${ALIAS}|ep=${ENDPOINT}`;

describe("windowsStore and .NET's library", () => {
  it("writes what .NET reads: friendly name, container, provider", async () => {
    const { machine, keys, store, handles } = host();
    const { spki } = await keys.create("KeyGuardRSAKey", P256);
    const der = await issue({ spki });
    await store.put(ALIAS, binding(der));
    const [kept] = machine.certificates["user"]!;
    const name = new TextDecoder("utf-16le").decode(kept!.properties.get(11) as Bytes);
    assert.equal(name, `${NAME}\0`);
    assert.deepEqual(kept!.properties.get(2), {
      container: "KeyGuardRSAKey",
      provider: "Microsoft Software Key Storage Provider",
      type: 0,
      flags: 0,
      keySpec: 0,
    });
    assert.equal(hex(kept!.der), hex(der));
    assert.equal(handles(), 0);
  });

  it("reads what .NET writes, the client id in lower case (Write_Then_Read_HappyPath)", async () => {
    const { machine, keys, store } = host();
    const { spki } = await keys.create("KeyGuardRSAKey", P256);
    const der = await issue({ spki, subject: `CN=${CLIENT_ID.toUpperCase()}` });
    plant(machine, der, NAME, { container: "KeyGuardRSAKey" });
    const [found, ...others] = await store.list(ALIAS);
    assert.deepEqual(others, []);
    assert.deepEqual({ ...found, certificate: hex(found!.certificate) }, {
      ...binding(der),
      certificate: hex(der),
    });
  });

  it("passes over a common name that isn't a UUID (Read_Rejects_NonGuid_CN)", async () => {
    const { machine, store } = host();
    for (const subject of ["CN=service", "O=none", `CN=x${CLIENT_ID}`]) {
      plant(machine, await issue({ subject }), NAME);
    }
    assert.deepEqual(await store.list(ALIAS), []);
    assert.equal(await store.evict(ALIAS), 3);
  });

  it("refuses a client id that isn't the certificate's common name", async () => {
    const { machine, store } = host();
    const der = await issue({});
    const other = { ...binding(der), clientId: "11111111-2222-3333-4444-555555555555" };
    await assert.rejects(store.put(ALIAS, other), isError("invalid_argument"));
    assert.deepEqual(machine.certificates["user"], []);
  });

  it("passes over certificates that aren't ours or can't be read, and leaves them", async () => {
    const { machine, store, handles } = host();
    plant(machine, await issue({}), "somebody's certificate");
    plant(machine, await issue({}), "MSAL|alias=other|ep=https://mtlsauth.example/t");
    plant(machine, await issue({}), `MSAL|alias=${ALIAS}|ep=http://plain.example/t`);
    plant(machine, Uint8Array.of(0x30, 0x03, 1, 2, 3), NAME);
    machine.certificates["user"]!.push({ der: await issue({}), properties: new Map() });
    assert.deepEqual(await store.list(ALIAS), []);
    await store.put(ALIAS, binding(await issue({})));
    assert.equal((await store.list(ALIAS)).length, 1);
    assert.equal(machine.certificates["user"]!.length, 6);
    assert.equal(handles(), 0);
  });

  it("refuses a certificate that is there under another alias, and leaves that one", async () => {
    const { store } = host();
    const der = await issue({});
    await store.put("other", binding(der));
    await assert.rejects(store.put(ALIAS, binding(der)), isError("store_unavailable"));
    assert.equal((await store.list("other")).length, 1);
    assert.deepEqual(await store.list(ALIAS), []);
  });

  it("refuses an alias that a friendly name would change", async () => {
    const { store } = host();
    for (const alias of [" a", "a ", "\ta"]) {
      await assert.rejects(store.list(alias), isError("invalid_argument"));
    }
  });

  it("keeps users' and machine's certificates apart", async () => {
    const { machine, keys, store } = host({}, "machine");
    const { spki } = await keys.create("k", P256);
    await store.put(ALIAS, binding(await issue({ spki })));
    assert.equal(machine.certificates["machine"]!.length, 1);
    assert.deepEqual(machine.certificates["user"], []);
    assert.equal((machine.certificates["machine"]![0]!.properties.get(2) as ProvInfo).flags, 0x20);
  });
});

describe("an orphan in windowsStore", () => {
  it("is deleted when it is read (Read_RemovesOrphanedCert_FromStore)", async () => {
    const { machine, keys, store, handles } = host();
    const { spki, keyContainer } = await keys.create("k", P256);
    const place = { container: keyContainer.container };
    const alive = await issue({ spki });
    plant(machine, await issue({ hours: 72 }), NAME, place);
    plant(machine, await issue({ hours: 73 }), NAME, { container: "gone" });
    plant(machine, alive, NAME, place);
    assert.deepEqual((await store.list(ALIAS)).map((b) => hex(b.certificate)), [hex(alive)]);
    assert.equal(machine.certificates["user"]!.length, 1);
    assert.equal(handles(), 0);
  });

  it("of another alias stays", async () => {
    const { machine, store } = host();
    plant(machine, await issue({}), "MSAL|alias=other|ep=https://a.example/t", {
      container: "gone",
    });
    assert.deepEqual(await store.list(ALIAS), []);
    assert.equal(machine.certificates["user"]!.length, 1);
  });

  it("stays while another process holds the lock, and isn't given out", async () => {
    const { machine, clock, store, start } = host();
    plant(machine, await issue({}), NAME, { container: "gone" });
    const other = start();
    await other.store.lock(ALIAS, async () => {
      assert.deepEqual(await drive(clock, store.list(ALIAS)), []);
      assert.equal(machine.certificates["user"]!.length, 1);
    });
    await store.list(ALIAS);
    assert.equal(machine.certificates["user"]!.length, 0);
  });

  it("doesn't keep a certificate that lives shorter from being put", async () => {
    const { machine, keys, store } = host();
    const { spki } = await keys.create("k", P256);
    plant(machine, await issue({ hours: 96 }), NAME, { container: "gone" });
    await store.put(ALIAS, binding(await issue({ spki, hours: 24 })));
    assert.equal((await store.list(ALIAS)).length, 1);
  });

  it("isn't seen in one whose key can't be looked at just now", async () => {
    const { machine, keys, store } = host();
    const { spki } = await keys.create("k", P256);
    await store.put(ALIAS, binding(await issue({ spki })));
    for (const status of [0x800706ba, 0x80090010, 0x80090030]) {
      machine.faults.set("NCryptOpenKey", status);
      assert.equal((await store.list(ALIAS)).length, 1);
    }
  });

  it("isn't seen in one that names no key, or one of CAPI", async () => {
    const { machine, store } = host();
    plant(machine, await issue({}), NAME);
    plant(machine, await issue({ hours: 49 }), NAME, { container: "gone", type: 24 });
    assert.equal((await store.list(ALIAS)).length, 2);
  });
});

describe("a key that is replaced", () => {
  it("takes its managed identity certificates with it (RemovesCertWithMatchingIssuer)", async () => {
    const { machine, keys, start } = host();
    const { spki, keyContainer: { container } } = await keys.create("k", P256);
    plant(machine, await issue({ spki }), NAME, { container });
    plant(machine, await issue({ spki }), "no name of ours", {
      container: container.toUpperCase(),
    });
    await start().keys.create("k", P256);
    assert.deepEqual(machine.certificates["user"], []);
  });

  it("leaves all others (OnlyRemovesMatching_LeavesOtherCertsAlone)", async () => {
    const { machine, keys, handles } = host();
    const { spki, keyContainer: { container } } = await keys.create("k", P256);
    plant(machine, await issue({ spki, issuer: "CN=Contoso" }), NAME, { container });
    plant(machine, await issue({}), NAME, { container: "another" });
    plant(machine, await issue({}), NAME);
    plant(machine, await issue({}), NAME, { container, provider: "another" });
    plant(machine, Uint8Array.of(1, 2), NAME, { container });
    await keys.create("k", P256);
    assert.equal(machine.certificates["user"]!.length, 5);
    assert.equal(handles(), 0);
  });

  it("is replaced also where the store can't be opened", async () => {
    const { machine, keys } = host();
    machine.faults.set("CertOpenStore", 5);
    assert.equal((await keys.create("k", P256)).strength, "keyguard");
  });

  it("knows its issuer in whatever case (MatchIsCaseInsensitive)", async () => {
    const names = [
      "CN=x, O=MANAGEDIDENTITYSNISSUER.LOGIN.MICROSOFT.COM",
      `CN=${ISSUER.slice(3).toLowerCase()}`,
    ];
    for (const issuer of names) assert.ok(isOfManagedIdentity(await issue({ issuer })));
    assert.ok(!isOfManagedIdentity(await issue({ issuer: "CN=login.microsoft.com" })));
    assert.ok(!isOfManagedIdentity(Uint8Array.of(0)));
  });
});

describe("the mutex of windowsStore", () => {
  it("is .NET's, in Global\\ (GetMutexName_Format)", async () => {
    const { machine, store, handles } = host();
    await store.lock(ALIAS, () => {
      assert.deepEqual([...machine.mutexes.keys()], [`Global\\${mutexName(ALIAS)}`]);
      assert.equal(handles(), 1);
      return Promise.resolve();
    });
    assert.equal(handles(), 0);
  });

  it("is in Local\\ only where Global\\ is denied", async () => {
    const { machine, store } = host({ globalMutexes: false });
    await store.lock(ALIAS, () => Promise.resolve());
    assert.deepEqual([...machine.mutexes.keys()], [`Local\\${mutexName(ALIAS)}`]);
    machine.faults.set("CreateMutexW", 8);
    await assert.rejects(
      store.lock(ALIAS, () => assert.fail("ran")),
      isError("store_unavailable"),
    );
  });

  it("is taken over from a process that died with it", async () => {
    const { store, start } = host();
    const dying = start();
    let entered!: () => void;
    const inside = new Promise<void>((resolve) => entered = resolve);
    dying.store.lock(ALIAS, () => {
      entered();
      return new Promise(() => {});
    });
    await inside;
    await assert.rejects(
      store.lock(ALIAS, () => assert.fail("ran"), { timeout: 0 }),
      isError("store_lock_timeout"),
    );
    dying.crash();
    assert.equal(await store.lock(ALIAS, () => Promise.resolve("in"), { timeout: 0 }), "in");
  });

  it("keeps out processes whose alias differs by case, as .NET's does", async () => {
    const { store, start } = host();
    const other = start();
    await store.lock("Foo", async () => {
      const busy = other.store.lock("foo", () => assert.fail("ran"), { timeout: 0 });
      await assert.rejects(busy, isError("store_lock_timeout"));
    });
  });

  it("keeps two stores of one thread apart, though the thread has it again and again", async () => {
    const { windows, clock, store } = host();
    const twin = windowsStore({ clock, system: () => Promise.resolve(windows) });
    await store.lock(ALIAS, async () => {
      const busy = drive(clock, twin.lock(ALIAS, () => assert.fail("ran"), { timeout: 0 }));
      await assert.rejects(busy, isError("store_lock_timeout"));
    });
  });

  it("keeps a put waiting for 0.3 s (Write_Skips_When_Mutex_Busy_Then_Succeeds)", async () => {
    const { clock, store, start, machine, handles } = host();
    const der = await issue({});
    const other = start();
    await other.store.lock(ALIAS, async () => {
      const started = clock.now();
      const isBusy = (error: unknown) =>
        isKeyboundError(error, "store_unavailable") && error.retryable;
      await assert.rejects(drive(clock, store.put(ALIAS, binding(der))), isBusy);
      assert.ok(clock.now() - started >= 300 && clock.now() - started < 500);
      assert.deepEqual(machine.certificates["user"], []);
    });
    await store.put(ALIAS, binding(der));
    assert.equal(machine.certificates["user"]!.length, 1);
    assert.equal(handles(), 0);
  });

  it("keeps no eviction waiting", async () => {
    const { machine, store, start } = host();
    plant(machine, await issue({}), NAME);
    const other = start();
    await other.store.lock(ALIAS, async () => assert.equal(await store.evict(ALIAS), 1));
  });
});

describe("windowsStore that fails", () => {
  const faults: [string, number][] = [
    ["CertOpenStore", 5],
    ["CertCreateCertificateContext", 0x8009310b],
    ["CertSetCertificateContextProperty", 8],
    ["CertAddCertificateContextToStore", 5],
  ];
  for (const [name, error] of faults) {
    it(`in ${name} says so with store_unavailable and gives all handles back`, async () => {
      const { machine, store, handles } = host();
      const der = await issue({});
      machine.faults.set(name, error);
      await assert.rejects(store.put(ALIAS, binding(der)), (failure) => {
        assert.ok(isKeyboundError(failure, "store_unavailable"));
        assert.match(failure.message, new RegExp(`${name} failed with 0x${error.toString(16)}`));
        return true;
      });
      assert.equal(handles(), 0);
    });
  }

  for (const error of [5, 0x80070005]) {
    it(`says that a user may delete nothing (0x${error.toString(16)}), and gives out no orphan`, async () => {
      const { machine, keys, store, handles } = host();
      const { spki } = await keys.create("k", P256);
      await store.put(ALIAS, binding(await issue({ spki })));
      await keys.remove("k");
      machine.faults.set("CertDeleteCertificateFromStore", error);
      await assert.rejects(store.evict(ALIAS), isError("store_unavailable"));
      assert.deepEqual(await store.list(ALIAS), []);
      assert.equal(machine.certificates["user"]!.length, 1);
      assert.equal(handles(), 0);
    });
  }

  it("gives back what it was about to delete when it breaks off", async () => {
    const { machine, windows, handles } = host();
    for (const hours of [1, 2]) plant(machine, await issue({ hours }), NAME);
    let seen = 0;
    const fits = () => {
      if (++seen === 2) throw new Error("broken off");
      return true;
    };
    assert.throws(() => withCertificates(windows, "user", (open) => open.remove(fits)), /off/);
    assert.equal(machine.certificates["user"]!.length, 2);
    assert.equal(handles(), 0);
  });

  if (process.platform !== "win32") {
    it("for want of Windows says so", async () => {
      const store = windowsStore();
      await assert.rejects(store.list(ALIAS), (error) => {
        assert.ok(isKeyboundError(error, "store_unavailable"));
        assert.match(error.message, /not there on/);
        return true;
      });
    });
  }
});
