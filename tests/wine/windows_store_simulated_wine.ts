/**
 * The certificate store of Windows with keys: orphans, the purge and what .NET's library reads
 * (protocol.md sections 2.3, 2.4, 10.3 and 10.6). crypt32 is Wine's own, the keys are the simulated
 * KSP's.
 *
 * @module
 */

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { windowsKeys, windowsStore } from "../../backends/windows/mod.ts";
import { withCertificates } from "../../backends/windows/certificates.ts";
import { type WindowsSystem, windowsSystem } from "../../backends/windows/system.ts";
import { type Bytes, hex } from "../../src/encoding.ts";
import { type ErrorCode, isKeyboundError } from "../../src/errors.ts";
import type { KeyContainer } from "../../src/keys.ts";
import { manualClock } from "../support/clock.ts";
import { SimulatedKsp } from "./support/simulated_ksp.ts";
import { ALIAS, binding, ENDPOINT, issue, ISSUER } from "../windows/support/bindings.ts";

const NAME = `MSAL|alias=${ALIAS}|ep=${ENDPOINT}`;
const P256 = { algorithm: "P-256" } as const;

const isError = (code: ErrorCode) => (error: unknown) => isKeyboundError(error, code);

describe("windowsStore over crypt32 and the simulated KSP", () => {
  let ksp: SimulatedKsp;
  let system: WindowsSystem;
  const clock = manualClock();

  const stored = () => withCertificates(system, "user", (store) => store.list());
  const clear = () => {
    ksp.reset({ vbs: true });
    withCertificates(system, "user", (store) => store.remove(() => true));
  };
  /** As another program puts it there. */
  const plant = (der: Bytes, friendlyName: string, place?: KeyContainer) =>
    withCertificates(system, "user", (store) => assert.ok(store.add(der, friendlyName, place)));
  /** The keys and the store of a program that has just been started. */
  const start = () => {
    const keys = windowsKeys();
    return { keys, store: windowsStore({ keys, clock }) };
  };
  const absent = (place: KeyContainer): KeyContainer => ({ ...place, container: "gone" });

  before(async () => {
    ksp = await SimulatedKsp.load();
    system = await windowsSystem();
  });
  beforeEach(clear);
  after(clear);

  it("writes what .NET reads: friendly name, container, provider (Write_Then_Read)", async () => {
    const { keys, store } = start();
    const { spki, keyContainer } = await keys.create("KeyGuardRSAKey");
    const der = await issue({ spki });
    await store.put(ALIAS, binding(der));
    const [kept, ...others] = stored();
    assert.deepEqual(others, []);
    assert.equal(kept!.friendlyName, NAME);
    assert.deepEqual(kept!.keyContainer, keyContainer);
    assert.deepEqual(keyContainer, {
      container: "KeyGuardRSAKey",
      provider: "Microsoft Software Key Storage Provider",
      providerType: 0,
      keySpec: 0,
      machine: false,
    });
    const [found] = await start().store.list(ALIAS);
    assert.equal(hex(found!.certificate), hex(der));
    assert.equal(ksp.liveHandles(), 0);
  });

  it("passes over a common name that isn't a UUID (Read_Rejects_NonGuid_CN)", async () => {
    const { keys, store } = start();
    const { spki, keyContainer } = await keys.create("k", P256);
    plant(await issue({ spki, subject: "CN=service" }), NAME, keyContainer);
    assert.deepEqual(await store.list(ALIAS), []);
    assert.equal(stored().length, 1);
  });

  it("deletes an orphan when it is read (Read_RemovesOrphanedCert_FromStore)", async () => {
    const { keys, store } = start();
    const { spki, keyContainer } = await keys.create("k", P256);
    const alive = await issue({ spki });
    plant(await issue({ hours: 72 }), NAME, keyContainer);
    plant(await issue({ hours: 73 }), NAME, absent(keyContainer));
    plant(alive, NAME, keyContainer);
    assert.deepEqual((await store.list(ALIAS)).map((b) => hex(b.certificate)), [hex(alive)]);
    assert.equal(stored().length, 1);
    assert.equal(ksp.liveHandles(), 0);
  });

  it("leaves an orphan of another alias", async () => {
    const { keys, store } = start();
    const { keyContainer } = await keys.create("k", P256);
    plant(await issue(), "MSAL|alias=other|ep=https://a.example/t", absent(keyContainer));
    assert.deepEqual(await store.list(ALIAS), []);
    assert.equal(stored().length, 1);
  });

  it("puts a certificate where an orphan lives longer", async () => {
    const { keys, store } = start();
    const { spki, keyContainer } = await keys.create("k", P256);
    plant(await issue({ hours: 96 }), NAME, absent(keyContainer));
    await store.put(ALIAS, binding(await issue({ spki, hours: 24 })));
    assert.equal((await store.list(ALIAS)).length, 1);
  });

  it("takes none for an orphan whose key can't be looked at, or is named in no way of CNG", async () => {
    const { keys, store } = start();
    const { spki, keyContainer } = await keys.create("k", P256);
    await store.put(ALIAS, binding(await issue({ spki })));
    for (const status of [0x800706ba, 0x80090010, 0x80090030]) {
      ksp.fail("NCryptOpenKey", status);
      assert.equal((await store.list(ALIAS)).length, 1);
      ksp.fail("NCryptOpenKey", 0);
    }
    plant(await issue({ hours: 49 }), NAME);
    plant(await issue({ hours: 50 }), NAME, { ...absent(keyContainer), providerType: 24 });
    assert.equal((await store.list(ALIAS)).length, 3);
  });

  it("finds the certificate of a key of another boot an orphan where opening says so", async () => {
    const { keys, store } = start();
    const { spki } = await keys.create("KeyGuardRSAKey", P256);
    await store.put(ALIAS, binding(await issue({ spki })));
    ksp.reboot();
    // Whoever uses it asks the key, which is found dead by its probe.
    assert.equal((await start().store.list(ALIAS)).length, 1);
    await assert.rejects(start().keys.open("KeyGuardRSAKey"), isError("key_unusable"));
    ksp.change({ deadAt: "opening", deadStatus: 0x8009000d });
    assert.deepEqual(await start().store.list(ALIAS), []);
    assert.deepEqual(stored(), []);
  });

  it("purges the certificates of a key that is replaced (RemovesCertWithMatchingIssuer)", async () => {
    const { keys } = start();
    const { spki, keyContainer } = await keys.create("k", P256);
    const { container } = keyContainer;
    plant(await issue({ spki }), NAME, keyContainer);
    plant(await issue({ spki }), "no name of ours", {
      ...keyContainer,
      container: container.toUpperCase(),
    });
    await start().keys.create("k", P256);
    assert.deepEqual(stored(), []);
    assert.equal(ksp.liveHandles(), 0);
  });

  it("purges by the issuer in whatever case (MatchIsCaseInsensitive)", async () => {
    const { keys } = start();
    const { spki, keyContainer } = await keys.create("k", P256);
    plant(await issue({ spki, issuer: `CN=x, O=${ISSUER.slice(3).toUpperCase()}` }), NAME, {
      ...keyContainer,
    });
    await keys.create("k", P256);
    assert.deepEqual(stored(), []);
  });

  it("leaves all others (OnlyRemovesMatching_LeavesOtherCertsAlone)", async () => {
    const { keys } = start();
    const { spki, keyContainer } = await keys.create("k", P256);
    plant(await issue({ spki, issuer: "CN=Contoso" }), NAME, keyContainer);
    plant(await issue(), NAME, { ...keyContainer, container: "another" });
    plant(await issue(), NAME, { ...keyContainer, provider: "another" });
    plant(await issue(), NAME);
    await keys.create("k", P256);
    assert.equal(stored().length, 4);
    // What the purge leaves over a key that is gone is an orphan, whoever issued it.
    assert.deepEqual((await start().store.list(ALIAS)).length, 2);
  });

  it("drops what expired, and keeps the newest of many (Delete_Prunes_Expired_Only)", async () => {
    const { keys, store } = start();
    const { spki, keyContainer } = await keys.create("k", P256);
    plant(await issue({ spki, hours: -1 }), NAME, keyContainer);
    plant(await issue({ spki, hours: 30 }), NAME, keyContainer);
    const newest = await issue({ spki, hours: 60 });
    await store.put(ALIAS, binding(newest));
    assert.equal(hex((await store.list(ALIAS))[0]!.certificate), hex(newest));
    assert.equal(stored().length, 2);
    await store.put(ALIAS, binding(await issue({ spki, hours: 40 })));
    assert.equal(stored().length, 2, "An older one isn't put (Write_NewestWins_SkipOlder).");
  });
});
