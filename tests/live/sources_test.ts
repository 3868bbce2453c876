/**
 * Bearer tokens from every source over real sockets, against the emulator: as the sources give them,
 * and as a managed identity does.
 *
 * @module
 */

import assert from "node:assert/strict";
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import { detect, type DetectedHost } from "../../backends/detect.ts";
import { hostAccess } from "../../backends/host/mod.ts";
import { type Emulator, spawnEmulator } from "../../emulator/mod.ts";
import { type ManagedIdentity, managedIdentity } from "../../mod.ts";
import { resolveIdentity } from "../../src/identity.ts";
import { bearerTokens, type HostAccess, managedIdentitySources } from "../../src/sources/mod.ts";

const RESOURCE = "https://vault.azure.net";
const TOKENS = "/var/opt/azcmagent/tokens";

let emulator: Emulator;
let challenges: string;

before(async () => {
  challenges = await realpath(await mkdtemp(join(tmpdir(), "keybound-arc-")));
  emulator = await spawnEmulator({
    arcAnnouncedDirectory: TOKENS,
    arcChallengeDirectory: challenges,
    state: { acceptEc: true },
  });
});
after(async () => {
  await emulator.close();
  await rm(challenges, { recursive: true, force: true });
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

describe("a managed identity of a detected host", () => {
  let closing: (() => Promise<unknown>)[] = [];
  beforeEach(async () => {
    await Promise.all(closing.map((close) => close()));
    closing = [];
    await emulator.reset();
    await emulator.set({ acceptEc: true });
  });
  after(async () => {
    await Promise.all(closing.map((close) => close()));
  });

  const ALL = { ...ENDPOINTS, arc: "AzureArc" } as const;
  type Kind = keyof typeof ALL;

  /** This host without an agent of its own, Arc's folder being elsewhere. */
  function accessOf(): HostAccess {
    const host = hostAccess();
    return {
      ...host,
      platform: "linux",
      exists: () => Promise.resolve(false),
      readSecretFile: (path, maxBytes) =>
        host.readSecretFile(path.replace(TOKENS, challenges), maxBytes),
    };
  }

  async function identityOf(kind: Kind): Promise<ManagedIdentity> {
    const environment = { ...emulator.sources[kind] };
    const detected: DetectedHost = await detect({ ca: emulator.ca, environment });
    const host = kind === "arc" || kind === "imds"
      ? { ...detected, bearer: bearerTokens({ host: accessOf() }) }
      : detected;
    const identity = managedIdentity({ ...host, keyAlgorithm: "P-256" });
    closing.push(
      () => identity.close(),
      ...host.transports.map((transport) => () => transport.close()),
    );
    return identity;
  }

  for (const [kind, name] of Object.entries(ALL) as [Kind, string][]) {
    it(`gives bearer tokens of ${name}, from memory the second time`, async () => {
      const identity = await identityOf(kind);
      const token = await identity.getToken({ resource: RESOURCE, binding: "bearer" });
      assert.deepEqual([token.tokenType, token.source], ["Bearer", name]);
      assert.ok(token.expiresOn > Date.now());
      const again = await identity.getToken({ resource: RESOURCE, binding: "bearer" });
      assert.deepEqual([again.fromCache, again.accessToken], [true, token.accessToken]);
      const { issuecredential, token: bound } = await emulator.counts();
      assert.deepEqual([issuecredential, bound], [0, 0]);
    });

    it(`gives ${kind === "imds" ? "bound" : "bearer"} tokens of ${name} where they are preferred`, async () => {
      const identity = await identityOf(kind);
      const token = await identity.getToken({ resource: RESOURCE, binding: "preferred" });
      assert.equal(token.source, name);
      assert.equal(token.tokenType, kind === "imds" ? "mtls_pop" : "Bearer");
      assert.equal((await emulator.counts()).issuecredential, kind === "imds" ? 1 : 0);
      const { source, boundTokens } = await identity.capabilities({ deadline: 10_000 });
      assert.deepEqual([source, boundTokens], [name, kind === "imds"]);
    });

    if (kind !== "imds") {
      it(`refuses bound tokens of ${name}`, async () => {
        const identity = await identityOf(kind);
        await assert.rejects(identity.getToken({ resource: RESOURCE }), {
          code: "mtls_pop_not_supported_for_environment",
          source: name,
        });
      });
    }
  }

  it("gives bearer tokens in place of preferred ones where there is IMDSv1 only", async () => {
    const notFound = { kind: "respond", status: 404, body: "" } as const;
    await emulator.script("getplatformmetadata", notFound);
    const identity = await identityOf("imds");
    const token = await identity.getToken({ resource: RESOURCE, binding: "preferred" });
    assert.deepEqual([token.tokenType, token.source], ["Bearer", "Imds"]);
  });

  it("sends no bearer token to a server that this runtime doesn't trust", async () => {
    const identity = await identityOf("appservice");
    const asked = identity.fetch(`${emulator.resource}/?secret`, {
      resource: RESOURCE,
      binding: "bearer",
    });
    await assert.rejects(asked, (error: Error) => {
      assert.equal((error as Error & { code?: unknown }).code, "network_unreachable");
      assert.ok(!`${error.message} ${error.stack}`.includes("?secret"));
      return true;
    });
    assert.equal((await emulator.counts()).resource, 0);
  });
});
