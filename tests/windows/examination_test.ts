/**
 * What a person is told of keys and certificates of Windows, on a simulated machine.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { examineWindows } from "../../backends/windows/examination.ts";
import { windowsKeys, windowsStore } from "../../backends/windows/mod.ts";
import { windowsPlace } from "../../cli/certs/place.ts";
import { tlsFinding, unusedFinding, windowsFindings } from "../../cli/doctor/windows.ts";
import { certificateAuthority, issueCertificate } from "../support/certificates.ts";
import { EPOCH, HOUR, manualClock } from "../support/clock.ts";
import { type MachineOptions, SimulatedMachine } from "./support/machine.ts";

const CLIENT_ID = "3c5a7c2e-1f0b-4f0e-9a53-6f0b9d5f7a11";
const ENDPOINT = "https://mtlsauth.example/t";
const ALIAS = "system_assigned_managed_identity#att=0";

/** A machine that keeps a certificate over a key of its own. */
async function machineWithCertificate(options: MachineOptions = {}) {
  const machine = new SimulatedMachine(options);
  const process = machine.process();
  const system = () => Promise.resolve(process.system);
  const keys = windowsKeys({ system });
  const key = await keys.create("keybound");
  // No issuer of managed identities: the purge isn't to come in between.
  const issuer = await certificateAuthority("CN=Issuer");
  const { der: certificate } = await issueCertificate({
    spki: key.spki,
    issuer,
    notBefore: EPOCH - HOUR,
    notAfter: EPOCH + 48 * HOUR,
  });
  const store = windowsStore({ keys, clock: manualClock(), system });
  await store.put(ALIAS, { certificate, endpoint: ENDPOINT, clientId: CLIENT_ID });
  const held = process.handles();
  const examine = async () => {
    const examination = await examineWindows({ system });
    assert.equal(process.handles(), held, "a handle is left");
    return examination;
  };
  const verdicts = async () =>
    Object.fromEntries(
      (await windowsFindings(await examine(), EPOCH)).map(({ check, verdict, detail }) => [
        check,
        `${verdict}: ${detail}`,
      ]),
    );
  return { machine, examine, verdicts, keys, system, issuer };
}

describe("An examination of Windows", () => {
  it("tells what keeps it from each kind of key", async () => {
    const { verdicts } = await machineWithCertificate({ vbs: false, tpm: "absent" });
    const told = await verdicts();
    assert.equal(told["windows: VBS"], "info: off: this Windows doesn't isolate keys");
    assert.match(told["windows: KeyGuard"]!, /^info: no such keys: .*0x80890014/);
    assert.match(told["windows: TPM"]!, /^info: no such keys: NCrypt\w+ returned .*0x8/);
    assert.equal(told["windows: software"], "ok: a key was made, signed, and destroyed");
  });

  it("says nothing of VBS where a KeyGuard key fails for another reason", async () => {
    const { machine, verdicts } = await machineWithCertificate();
    machine.faults.set("NCryptFinalizeKey", 0x80090010);
    const told = await verdicts();
    assert.equal(told["windows: VBS"], "info: not known: see KeyGuard");
    assert.match(told["windows: KeyGuard"]!, /NTE_PERM/);
    assert.match(told["windows: software"]!, /^failure: .*NTE_PERM/);
  });

  it("makes no key that stays, and leaves those alone that are there", async () => {
    const { machine, examine } = await machineWithCertificate();
    const before = [...machine.keys];
    const { kinds } = await examine();
    assert.deepEqual(kinds.map(({ strength }) => strength), ["keyguard", "hardware", "software"]);
    assert.ok(kinds.every(({ obstacle }) => obstacle === undefined));
    assert.deepEqual([...machine.keys], before);
    assert.equal(machine.certificates["user"]!.length, 1);
  });

  const states: Record<string, (machine: SimulatedMachine) => unknown> = {
    alive: () => {},
    dead: (machine) => machine.reboot(),
    missing: (machine) => machine.keys.clear(),
    unknown: (machine) => machine.faults.set("NCryptOpenKey", 0x80090030),
  };
  for (const [state, happens] of Object.entries(states)) {
    it(`tells that a certificate's key is ${state}`, async () => {
      const { machine, examine, verdicts } = await machineWithCertificate();
      happens(machine);
      const { certificates: [found] } = await examine();
      assert.equal(found?.key, state);
      assert.equal(found?.alias, ALIAS);
      assert.match(
        (await verdicts())["certificate"]!,
        new RegExp(`^${state === "alive" ? "ok" : "warning"}: .*(${state}|can't be asked|key)`),
      );
    });
  }

  it("tells that another key is where a certificate's key was", async () => {
    const { examine, keys } = await machineWithCertificate();
    await keys.create("keybound");
    assert.deepEqual((await examine()).certificates.map(({ key }) => key), ["orphaned"]);
  });

  it("has a key of a TPM sign by PKCS#1 where the TPM lacks the PSS of TLS", async () => {
    const { examine } = await machineWithCertificate({ vbs: false, tpmPss: false });
    assert.deepEqual((await examine()).certificates.map(({ key }) => key), ["alive"]);
  });

  it("goes on after a certificate over a kind of key that isn't used here", async () => {
    const { machine, examine, issuer } = await machineWithCertificate();
    const [ours] = machine.certificates["user"]!;
    const keys = await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]);
    const { der } = await issueCertificate({ issuer, keys: keys as CryptoKeyPair });
    machine.certificates["user"]!.unshift({ der, properties: ours!.properties });
    assert.deepEqual((await examine()).certificates.map(({ key }) => key), ["unknown", "alive"]);
  });

  it("says so where the store holds nothing of ours", async () => {
    const { machine, verdicts } = await machineWithCertificate();
    machine.certificates["user"]!.length = 0;
    assert.match((await verdicts())["windows: store"]!, /^ok: no certificate of ours/);
  });

  it("warns of software keys in place of Windows' own, and not of a token that was asked for", () => {
    assert.equal(unusedFinding("webcrypto").verdict, "warning");
    assert.match(unusedFinding("webcrypto").advice ?? "", /koffi/);
    assert.equal(unusedFinding("pkcs11").verdict, "info");
  });

  it("knows since which build there is TLS 1.3", () => {
    assert.match(tlsFinding("10.0.19045").detail, /^TLS 1\.2; /);
    assert.match(tlsFinding("10.0.20348").detail, /^TLS 1\.2 and 1\.3 /);
    assert.match(tlsFinding("10.0.26100").detail, /^TLS 1\.2 and 1\.3 /);
  });
});

describe("keybound certs on Windows", () => {
  it("lists the certificates of the user's store, each with its key, and whose they are", async () => {
    const { machine, system } = await machineWithCertificate();
    const place = windowsPlace({ system });
    const made = machine.calls.filter((name) => name === "NCryptCreatePersistedKey").length;
    const [first] = await place.facts(EPOCH);
    assert.equal(first?.key, "alive");
    assert.equal(first?.life, "valid");
    assert.equal(first?.endpoint, ENDPOINT);
    machine.reboot();
    assert.deepEqual((await place.facts(EPOCH)).map(({ key }) => key), ["dead"]);
    assert.deepEqual([...await place.aliases()], [ALIAS]);
    const calls = machine.calls.filter((name) => name === "NCryptCreatePersistedKey");
    assert.equal(calls.length, made, "a key was made");
  });
});
