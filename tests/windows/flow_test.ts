/**
 * Managed identity with keys and certificates of Windows, on a simulated machine.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { windowsKeys, windowsStore } from "../../backends/windows/mod.ts";
import { fakeAzure, VAULT } from "../support/fake_azure.ts";
import { manualClock } from "../support/clock.ts";
import { SimulatedMachine } from "./support/machine.ts";

async function machineOnAzure() {
  const machine = new SimulatedMachine();
  const backends = () => {
    const { system: windows } = machine.process();
    const system = () => Promise.resolve(windows);
    const keys = windowsKeys({ minStrength: "keyguard", system });
    return { keys, store: windowsStore({ keys, clock: manualClock(), system }) };
  };
  return { machine, backends, azure: await fakeAzure(backends()) };
}

const REQUEST = { resource: VAULT, minStrength: "keyguard" } as const;

describe("managed identity on Windows", () => {
  it("mints once, and another process takes the certificate from the store", async () => {
    const { azure, backends } = await machineOnAzure();
    const first = await azure.identity().getToken(REQUEST);
    assert.equal(azure.counts(), "1+1+1+0");
    const second = await azure.identity(backends()).getToken(REQUEST);
    assert.equal(azure.counts(), "1+1+2+0");
    assert.equal(second.binding.credential.thumbprint, first.binding.credential.thumbprint);
  });

  it("heals after a reboot: the certificate is there still, its key is dead", async () => {
    const { azure, machine, backends } = await machineOnAzure();
    const first = await azure.identity().getToken(REQUEST);
    machine.reboot();
    const after = await azure.identity(backends()).getToken(REQUEST);
    assert.notEqual(after.binding.credential.thumbprint, first.binding.credential.thumbprint);
    assert.equal(azure.counts(), "2+2+2+0");
    assert.equal(machine.certificates["user"]!.length, 1);
    const other = await azure.identity(backends()).getToken(REQUEST);
    assert.equal(other.binding.credential.thumbprint, after.binding.credential.thumbprint);
  });

  it("heals in the process that another one's new key has orphaned", async () => {
    const { azure, machine, backends } = await machineOnAzure();
    const identity = azure.identity();
    await identity.getToken(REQUEST);
    machine.keys.clear();
    const other = await azure.identity(backends()).getToken(REQUEST);
    await azure.clock.advance(6 * 60_000);
    const later = await identity.getToken({ ...REQUEST, forceRefresh: true });
    assert.equal(later.binding.credential.thumbprint, other.binding.credential.thumbprint);
    assert.equal(azure.sent.filter(({ endpoint }) => endpoint === "issuecredential").length, 2);
  });
});
