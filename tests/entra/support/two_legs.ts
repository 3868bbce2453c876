/**
 * A managed identity that vouches for an application, each at a fake of its own.
 *
 * @module
 */

import { federate, type FederationOptions, type SecondLeg } from "../../../src/entra/federation.ts";
import type { ConfidentialClient } from "../../../src/entra/options.ts";
import type { ManagedIdentity } from "../../../src/managed_identity_options.ts";
import { type FakeAzure, fakeAzure } from "../../support/fake_azure.ts";
import { AUTHORITY, CLIENT_ID, type FakeEntra, fakeEntra } from "./fake_entra.ts";

/** The second leg at this fake. */
export function second(entra: FakeEntra, options: Partial<SecondLeg> = {}): SecondLeg {
  return {
    clientId: CLIENT_ID,
    authority: AUTHORITY,
    transports: [entra.transport],
    fetch: entra.fetch,
    clock: entra.clock,
    random: () => 0.5,
    onEvent: (event) => void entra.events.push(event),
    ...options,
  };
}

/** Both legs and what they see. */
export interface TwoLegs {
  /** What the first leg sees. */
  readonly azure: FakeAzure;
  /** What the second leg sees. */
  readonly entra: FakeEntra;
  /** The first leg. */
  readonly identity: ManagedIdentity;
  /** The second leg. */
  readonly client: ConfidentialClient;
  /** Moves both clocks. */
  advance(ms: number): Promise<void>;
}

/** A managed identity and the application that it vouches for. */
export async function fromIdentity(options: FederationOptions = {}): Promise<TwoLegs> {
  const azure = await fakeAzure();
  const entra = fakeEntra();
  const identity = azure.identity();
  const client = federate(identity, second(entra), options);
  return {
    azure,
    entra,
    identity,
    client,
    advance: async (ms) => {
      await azure.clock.advance(ms);
      await entra.clock.advance(ms);
    },
  };
}
