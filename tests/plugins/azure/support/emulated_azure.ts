/**
 * An emulator, and identities and clients of the Azure SDK that talk to it.
 *
 * @module
 */

import { after, before, beforeEach } from "node:test";
import { SecretClient, type SecretClientOptions } from "@azure/keyvault-secrets";
import { BlockBlobClient } from "@azure/storage-blob";
import { detect } from "../../../../backends/detect.ts";
import { type Emulator, entraHosts, spawnEmulator } from "../../../../emulator/mod.ts";
import {
  type ManagedIdentity,
  managedIdentity,
  type ManagedIdentityOptions,
} from "../../../../mod.ts";
import {
  httpClient,
  tokenCredential,
  type TokenCredentialOptions,
} from "../../../../plugins/azure/mod.ts";

/** What the real clients need to talk to an emulator on a loopback address. */
export interface EmulatedAzure {
  /** The emulator, once the tests run. */
  readonly emulator: Emulator;
  /** A plain fetch that trusts the emulator's CA. */
  readonly fetch: typeof globalThis.fetch;
  /** A managed identity. */
  identityOf(options?: Partial<ManagedIdentityOptions>): Promise<ManagedIdentity>;
  /** The real client of the emulated vault. */
  secrets(identity: ManagedIdentity, options?: SecretClientOptions): SecretClient;
  /** The real client of an emulated blob. */
  blob(identity: ManagedIdentity, name: string, options?: TokenCredentialOptions): BlockBlobClient;
}

/** Audiences of the services that the tests talk to. */
const AUDIENCES = ["https://vault.azure.net", "https://storage.azure.com"];

/** Starts an emulator before the tests of a file and resets it before each of them. */
export function emulatedAzure(): EmulatedAzure {
  let emulator: Emulator;
  let closing: (() => Promise<unknown>)[] = [];
  before(async () => {
    emulator = await spawnEmulator();
  });
  after(async () => {
    await Promise.all(closing.map((close) => close()));
    await emulator.close();
  });
  beforeEach(async () => {
    await Promise.all(closing.map((close) => close()));
    closing = [];
    await emulator.reset();
    await emulator.set({ acceptEc: true, audiences: AUDIENCES });
  });
  const fetch: typeof globalThis.fetch = (input, init) =>
    entraHosts(emulator, []).fetch(input, init);
  const retryOptions = { maxRetries: 0 };

  return {
    get emulator() {
      return emulator;
    },
    fetch,
    async identityOf(options = {}) {
      const environment = { AZURE_POD_IDENTITY_AUTHORITY_HOST: emulator.metadata };
      const host = await detect({ ca: emulator.ca, environment });
      const identity = managedIdentity({ ...host, keyAlgorithm: "P-256", ...options });
      closing.push(() => identity.close(), () => host.close());
      return identity;
    },
    secrets: (identity, options = {}) =>
      new SecretClient(emulator.resource, tokenCredential(identity), {
        httpClient: httpClient(identity, { fetch }),
        // The emulator's address isn't one of the vault's domain.
        disableChallengeResourceVerification: true,
        retryOptions,
        ...options,
      }),
    blob: (identity, name, options) =>
      new BlockBlobClient(
        `${emulator.resource}/account/container/${name}`,
        tokenCredential(identity, options),
        { httpClient: httpClient(identity, { fetch }), retryOptions: { maxTries: 1 } },
      ),
  };
}
