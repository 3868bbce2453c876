/**
 * What becomes of a stored certificate when its key in CNG fails: managed identity with the backends
 * of Windows, from nothing to a token and through every way in which a key dies.
 *
 * @module
 */

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { detect } from "../../backends/detect.ts";
import { windowsKeys, type WindowsSigningKey } from "../../backends/windows/mod.ts";
import { webcryptoKeys } from "../../backends/webcrypto/mod.ts";
import { type Emulator, invalidClient } from "../../emulator/mod.ts";
import {
  ClientCredential,
  type KeyboundEvent,
  type ManagedIdentity,
  managedIdentity,
  type ManagedIdentityOptions,
  type TokenResult,
} from "../../mod.ts";
import { base64, fromBase64 } from "../../src/encoding.ts";
import { httpAttestor } from "../windows/support/http_attestor.ts";
import { otherProcess } from "../windows/verify/host.ts";
import { forgetEntries, ownEntries, runningEmulator, thumbprintFrom } from "./support/flow.ts";
import { type SimulatedHost, SimulatedKsp } from "./support/simulated_ksp.ts";
import { otherRuntimes } from "./support/windows_process.ts";

const VAULT = "https://vault.azure.net";
const ALIAS = "system_assigned_managed_identity#att=0";
const KEY = "keybound";
const ALERT = { kind: "alert", alert: "bad_certificate", version: "TLSv1.2" } as const;

describe("managed identity on Windows, as Wine and the simulated KSP have it", () => {
  let emulator: Emulator;
  let ksp: SimulatedKsp;
  let events: KeyboundEvent[];
  const closing: (() => Promise<unknown>)[] = [];

  const closeAll = async () => {
    for (const close of closing.splice(0).reverse()) await close();
  };
  before(async () => {
    emulator = await runningEmulator();
    ksp = await SimulatedKsp.load();
  });
  after(async () => {
    await closeAll();
    await forgetEntries();
    ksp.reset();
  });
  beforeEach(async () => {
    await closeAll();
    await forgetEntries();
    ksp.reset();
    await emulator.reset();
    // The token endpoint's pin; Wine's SChannel speaks TLS 1.3 wherever the server does.
    await emulator.set({ maxTlsVersion: "TLSv1.2" });
    events = [];
  });

  /** A new process, as far as the library can tell: nothing in memory. */
  const restarted = async (
    options: Partial<ManagedIdentityOptions> = {},
  ): Promise<ManagedIdentity> => {
    const environment = { AZURE_POD_IDENTITY_AUTHORITY_HOST: emulator.metadata };
    const host = await detect({ windows: true, ca: emulator.ca, environment });
    const onEvent = (event: KeyboundEvent) => void events.push(event);
    const identity = managedIdentity({ ...host, onEvent, ...options });
    closing.push(() => host.close(), () => identity.close());
    return identity;
  };
  const token = async (identity: ManagedIdentity) => await identity.getToken({ resource: VAULT });
  const containerOf = ({ binding }: TokenResult) =>
    (binding!.credential.key as WindowsSigningKey).keyContainer.container;
  const thumbprintOf = ({ binding }: TokenResult) => binding!.credential.thumbprint;
  const counted = async () => {
    const { getplatformmetadata, issuecredential, token } = await emulator.counts();
    return [getplatformmetadata, issuecredential, token].join("+");
  };
  const use = async (identity: ManagedIdentity) => {
    const response = await identity.fetch(`${emulator.resource}/secrets/x`, { resource: VAULT });
    await response.arrayBuffer();
    return response.status;
  };
  const reasons = () => events.flatMap((event) => event.type === "evict" ? [event.reason] : []);

  /** What must be so once a binding was replaced: one mint, one entry, and it works. */
  const assertHealed = async (
    identity: ManagedIdentity,
    before: TokenResult,
    after: TokenResult,
  ) => {
    assert.notEqual(thumbprintOf(after), thumbprintOf(before));
    assert.equal((await emulator.counts()).issuecredential, 2);
    assert.equal(await use(identity), 200);
    const entries = await ownEntries();
    const stored = entries.map(({ der }) => base64(der));
    assert.deepEqual(stored, [base64(after.binding!.credential.leaf.der)]);
    assert.equal((await emulator.counts()).issuecredential, 2);
    // Nor does the next process need another one.
    assert.equal(thumbprintOf(await token(await restarted())), thumbprintOf(after));
    assert.equal((await emulator.counts()).issuecredential, 2);
    assert.equal(ksp.liveHandles(), 0);
  };

  it("gets a token by 1 + 1 + 1 requests, uses it, has it again for none; a thief can't", async () => {
    const identity = await restarted();
    const first = await token(identity);
    assert.equal(await counted(), "1+1+1");
    assert.equal(first.tokenType, "mtls_pop");
    assert.equal(first.binding!.credential.key.strength, "software");
    assert.equal((await token(identity)).accessToken, first.accessToken);
    assert.equal(await counted(), "1+1+1");
    assert.equal(await use(identity), 200);

    const key = await webcryptoKeys().create("thief");
    const { clientId } = first.binding!;
    const { certificate } = await emulator.issue({ spki: base64(key.spki), clientId });
    const credential = await ClientCredential.create([fromBase64(certificate)], key);
    const host = await detect({ windows: false, ca: emulator.ca, environment: {} });
    closing.push(() => host.close());
    const request = new Request(`${emulator.resource}/secrets/x`, {
      headers: { Authorization: `mtls_pop ${first.accessToken}` },
    });
    const refused = await host.transports[0]!.fetch(request, credential);
    await refused.arrayBuffer();
    assert.equal(refused.status, 401);
  });

  it("keeps the certificate as .NET's library does, and needs no other after a restart", async () => {
    const first = await token(await restarted());
    const [entry, ...others] = await ownEntries();
    assert.deepEqual(others, []);
    assert.equal(entry!.friendlyName, `MSAL|alias=${ALIAS}|ep=${first.binding!.endpoint}`);
    assert.deepEqual(entry!.keyContainer, {
      container: containerOf(first),
      provider: "Microsoft Software Key Storage Provider",
      providerType: 0,
      keySpec: 0,
      machine: false,
    });
    events = [];
    const second = await token(await restarted());
    assert.equal(thumbprintOf(second), thumbprintOf(first));
    assert.equal(await counted(), "1+1+2");
    const probes = events.flatMap((event) => event.type === "probe" ? [event.outcome] : []);
    assert.deepEqual(probes, ["alive"]);
  });

  it("is one certificate for processes of several runtimes that start at once", async () => {
    const [here, ...elsewhere] = await Promise.all([
      restarted().then(token).then(thumbprintOf),
      ...otherRuntimes().map((runtime) => thumbprintFrom(runtime, emulator)),
    ]);
    assert.equal(elsewhere.length, 2);
    assert.deepEqual(elsewhere, [here, here]);
    assert.equal((await emulator.counts()).issuecredential, 1);
    assert.equal(ksp.keys(), 1);
  });

  it("heals with one mint when the key was deleted", async () => {
    const first = await token(await restarted());
    await windowsKeys().remove(KEY);
    const identity = await restarted();
    await assertHealed(identity, first, await token(identity));
  });

  it("heals with one mint when another process has replaced the key", async () => {
    const first = await token(await restarted());
    const other = otherProcess({ do: "create", strength: "software", id: KEY });
    await other.next();
    await other.kill();
    const identity = await restarted();
    const after = await token(identity);
    await assertHealed(identity, first, after);
    assert.equal(ksp.keys(), 1);
  });

  it("heals with one mint while it is in use, when the key is replaced", async () => {
    const identity = await restarted({ probeInterval: 1 });
    const first = await token(identity);
    await windowsKeys().create(KEY);
    // A proof of the same millisecond would still count.
    const now = Date.now();
    while (Date.now() <= now + 1) await Promise.resolve();
    const after = await identity.getToken({ resource: VAULT, forceRefresh: true });
    assert.deepEqual(reasons(), ["key_dead"]);
    await assertHealed(identity, first, after);
  });

  it("heals with one mint when the key is there and doesn't sign", async () => {
    const first = await token(await restarted());
    ksp.kill(containerOf(first));
    const identity = await restarted();
    const after = await token(identity);
    assert.deepEqual(reasons(), ["key_dead"]);
    await assertHealed(identity, first, after);
  });

  it("keeps its certificate while the key can't be reached, and uses it again afterwards", async () => {
    const first = await token(await restarted());
    // RPC_S_SERVER_UNAVAILABLE: the service that holds the keys doesn't answer.
    ksp.kill(containerOf(first), 0x800706ba);
    const isAway = { code: "key_provider_unavailable" };
    await assert.rejects(token(await restarted()), isAway);
    assert.deepEqual(reasons(), []);
    ksp.kill(containerOf(first), 0);
    assert.equal(thumbprintOf(await token(await restarted())), thumbprintOf(first));
    assert.equal(await counted(), "1+1+2");
  });

  const deaths: [name: string, host: SimulatedHost][] = [
    ["its signature fails with NTE_FAIL", { deadAt: "signature", deadStatus: 0x80090020 }],
    ["its signature says that it's gone", { deadAt: "signature", deadStatus: 0x80090016 }],
    ["it can't be opened", { deadAt: "opening", deadStatus: 0x80090020 }],
    ["it isn't there", { deadAt: "opening", deadStatus: 0x80090016 }],
  ];
  for (const [name, death] of deaths) {
    it(`heals with one mint when a reboot has killed its KeyGuard key: ${name}`, async () => {
      ksp.reset({ vbs: true, ...death });
      const first = await token(await restarted());
      assert.equal(first.binding!.credential.key.strength, "keyguard");
      ksp.reboot();
      const identity = await restarted();
      const after = await token(identity);
      assert.equal(after.binding!.credential.key.strength, "keyguard");
      await assertHealed(identity, first, after);
    });
  }

  it("has a KeyGuard key attested, once for each key", async () => {
    ksp.reset({ vbs: true });
    await emulator.set({ attestation: "required" });
    const request = { resource: VAULT, attest: true, minStrength: "keyguard" } as const;
    const attestor = httpAttestor();
    const first = await (await restarted({ attestor })).getToken(request);
    assert.equal(first.binding!.credential.key.strength, "keyguard");
    assert.equal((await emulator.counts()).attest, 1);
    const again = await (await restarted({ attestor })).getToken(request);
    assert.equal(thumbprintOf(again), thumbprintOf(first));
    assert.equal((await emulator.counts()).attest, 1);
    ksp.reboot();
    const after = await (await restarted({ attestor })).getToken(request);
    assert.notEqual(thumbprintOf(after), thumbprintOf(first));
    assert.equal((await emulator.counts()).attest, 2);
    assert.equal((await emulator.counts()).issuecredential, 2);
  });

  it("doesn't ask for a certificate over a key that was to be attested and isn't KeyGuard's", async () => {
    const request = { resource: VAULT, attest: true } as const;
    const identity = await restarted({ attestor: httpAttestor() });
    await assert.rejects(identity.getToken(request), { code: "mtls_pop_requires_keyguard" });
    assert.equal((await emulator.counts()).issuecredential, 0);
  });

  const refusals: [name: string, prepare: () => Promise<void>][] = [
    ["a TLS alert", () => emulator.fault("token", ALERT)],
    ["invalid_client", () => emulator.script("token", invalidClient())],
  ];
  for (const [name, prepare] of refusals) {
    it(`heals with one mint after ${name}, over the key that it has`, async () => {
      const identity = await restarted();
      const first = await token(identity);
      await prepare();
      const after = await identity.getToken({ resource: VAULT, forceRefresh: true });
      await assertHealed(identity, first, after);
      assert.equal(ksp.keys(), 1);
    });
  }
});
