/**
 * Bearer tokens from every source over real sockets, against the emulator.
 *
 * @module
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { hostAccess } from "../../backends/host/mod.ts";
import { type Emulator, spawnEmulator } from "../../emulator/mod.ts";
import { resolveIdentity } from "../../src/identity.ts";
import { type HostAccess, managedIdentitySources } from "../../src/sources/mod.ts";

const RESOURCE = "https://vault.azure.net";
const TOKENS = "/var/opt/azcmagent/tokens";

let emulator: Emulator;

before(async () => {
  emulator = await spawnEmulator({ arcAnnouncedDirectory: TOKENS });
});
after(async () => {
  await emulator.close();
});

const ENDPOINTS = {
  appservice: "AppService",
  servicefabric: "ServiceFabric",
  machinelearning: "MachineLearning",
  cloudshell: "CloudShell",
  imds: "Imds",
} as const;

describe("a bearer token over real sockets", () => {
  for (const [kind, name] of Object.entries(ENDPOINTS) as [keyof typeof ENDPOINTS, string][]) {
    it(`comes from ${name}, and the resource server takes it`, async () => {
      const environment = emulator.sources[kind];
      const host: HostAccess = { ...hostAccess(), exists: () => Promise.resolve(false) };
      const sources = managedIdentitySources({ environment: { ...environment }, host });
      assert.equal(await sources.find(), name);
      const token = await sources.token({
        identity: resolveIdentity({}),
        resource: RESOURCE,
        capabilities: [],
        correlationId: crypto.randomUUID(),
      });
      assert.equal(token.source, name);
      assert.ok(token.expiresOn > Date.now());
      assert.equal(token.accessToken.split(".").length, 3);
    });
  }

  it("doesn't come from a Service Fabric server of another thumbprint", async () => {
    const environment = {
      ...emulator.sources.servicefabric,
      IDENTITY_SERVER_THUMBPRINT: "0".repeat(40),
    };
    const sources = managedIdentitySources({ environment, host: hostAccess() });
    const before = (await emulator.counts()).servicefabric;
    const asked = sources.token({
      identity: resolveIdentity({}),
      resource: RESOURCE,
      capabilities: [],
      correlationId: crypto.randomUUID(),
    });
    await assert.rejects(asked, { code: "tls_server_untrusted" });
    assert.equal((await emulator.counts()).servicefabric, before, "nothing was sent");
  });
});

describe("the capabilities of the emulated host", () => {
  it("are bound tokens by its metadata service of version 2", async () => {
    const environment = { ...emulator.sources.imds };
    const host: HostAccess = { ...hostAccess(), exists: () => Promise.resolve(false) };
    const capabilities = await managedIdentitySources({ environment, host }).capabilities({
      deadline: 10_000,
    });
    assert.equal(capabilities.source, "Imds");
    assert.equal(capabilities.boundTokens, true);
  });
});
