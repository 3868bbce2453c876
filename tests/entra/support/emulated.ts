/**
 * Clients and identities at an emulator that lives as long as the tests of one file.
 *
 * @module
 */

import { after, before, beforeEach } from "node:test";
import { detect } from "../../../backends/detect.ts";
import { webcryptoKeys } from "../../../backends/webcrypto/mod.ts";
import {
  DEFAULT_TENANT_ID,
  type Emulator,
  entraHosts,
  type RequestRecord,
  spawnEmulator,
} from "../../../emulator/mod.ts";
import { managedIdentity } from "../../../mod.ts";
import type { ClientCredential } from "../../../src/credential.ts";
import { base64, fromBase64 } from "../../../src/encoding.ts";
import { confidentialClient } from "../../../src/entra/confidential_client.ts";
import { federate, type FirstLeg, type SecondLeg } from "../../../src/entra/federation.ts";
import type { ConfidentialClient, ConfidentialClientOptions } from "../../../src/entra/options.ts";
import { certificateCredential } from "../../../src/entra/pem_credential.ts";
import type { KeyAlgorithm } from "../../../src/keys.ts";
import type { ManagedIdentity } from "../../../src/managed_identity_options.ts";

export const AUTHORITY: string = `https://login.microsoftonline.com/${DEFAULT_TENANT_ID}`;

/** Client ids of the applications that the emulator knows. */
export const APPLICATIONS: readonly string[] = Array.from(
  { length: 11 },
  (_, i) => `f62c5ae3-bf3a-4af5-afa8-0000000000${i.toString().padStart(2, "0")}`,
);

/** The application that most tests are about. */
export const FIRST: string = APPLICATIONS[0]!;

/** The application that it vouches for. */
export const SECOND: string = APPLICATIONS[1]!;

/** What the tests of a file share; set anew before each of them. */
export interface EmulatedEntra {
  /** The emulator; reset before each test. */
  readonly emulator: Emulator;
  /** A certificate of the emulator's authority for an application, over a new key. */
  credentialOf(clientId: string, algorithm?: KeyAlgorithm): Promise<ClientCredential>;
  /** An application; with a new certificate where no other credential is given. */
  clientOf(options?: Partial<ConfidentialClientOptions>): Promise<ConfidentialClient>;
  /** The managed identity of the emulator's host. */
  identityOf(): Promise<ManagedIdentity>;
  /** The second application, vouched for. */
  federated(first: FirstLeg): ConfidentialClient;
  /** The latest request to the token endpoint. */
  lastTokenRequest(): Promise<RequestRecord>;
}

/** Registers the hooks that start, reset and end the emulator and everything that uses it. */
export function emulatedEntra(): EmulatedEntra {
  let emulator: Emulator;
  let base: Omit<SecondLeg, "clientId">;
  let closing: (() => Promise<unknown>)[] = [];
  const closeAll = async () => {
    await Promise.all(closing.map((close) => close()));
    closing = [];
  };

  before(async () => {
    const applications = APPLICATIONS.map((clientId) => ({ clientId }));
    emulator = await spawnEmulator({ applications, state: { acceptEc: true } });
  });
  after(async () => {
    await closeAll();
    await emulator.close();
  });
  beforeEach(async () => {
    await closeAll();
    await emulator.reset();
    const { transports } = await detect({ ca: emulator.ca });
    base = { ...entraHosts(emulator, transports), authority: AUTHORITY };
    closing.push(...transports.map((transport) => () => transport.close()));
  });

  const entra: EmulatedEntra = {
    get emulator() {
      return emulator;
    },
    async credentialOf(clientId, algorithm = "P-256") {
      const key = await webcryptoKeys().create(clientId, { algorithm });
      const { certificate } = await emulator.issue({ spki: base64(key.spki), clientId });
      return await certificateCredential([fromBase64(certificate)], key);
    },
    async clientOf(options = {}) {
      const { clientId = FIRST } = options;
      const credential = options.credential ?? await entra.credentialOf(clientId);
      const client = confidentialClient({ ...base, clientId, credential, ...options });
      closing.push(() => client.close());
      return client;
    },
    async identityOf() {
      const environment = { AZURE_POD_IDENTITY_AUTHORITY_HOST: emulator.metadata };
      const host = await detect({ ca: emulator.ca, environment });
      const identity = managedIdentity({ ...host, keyAlgorithm: "P-256" });
      closing.push(
        () => identity.close(),
        ...host.transports.map((transport) => () => transport.close()),
      );
      return identity;
    },
    federated(first) {
      const client = federate(first, { ...base, clientId: SECOND });
      closing.push(() => client.close());
      return client;
    },
    lastTokenRequest: async () => (await emulator.requests("token")).at(-1)!,
  };
  return entra;
}
