/**
 * A host whose metadata service and token endpoint answer at once, on a clock that runs.
 *
 * @module
 */

import type { Clock } from "../../src/clock.ts";
import { systemClock } from "../../src/clock.ts";
import type {
  ManagedIdentity,
  ManagedIdentityOptions,
} from "../../src/managed_identity_options.ts";
import { EPOCH } from "../../tests/support/clock.ts";
import { type FakeAzure, fakeAzure } from "../../tests/support/fake_azure.ts";

/** The host. */
export interface InstantHost extends Pick<FakeAzure, "counts" | "forget" | "keys"> {
  /** An identity on it, without anybody listening to its events. */
  identity(options?: Partial<ManagedIdentityOptions>): ManagedIdentity;
}

/** A new host with P-256 keys. */
export async function instantHost(): Promise<InstantHost> {
  const azure = await fakeAzure();
  // The fake issues what is valid from its own time on.
  const ahead = EPOCH - Date.now();
  const clock: Clock = { now: () => Date.now() + ahead, sleep: systemClock().sleep };
  const { keys, counts, forget } = azure;
  return {
    keys,
    counts,
    forget,
    identity: (options) => azure.identity({ clock, onEvent: undefined, ...options }),
  };
}

/** So many resources. */
export function resourcesOf(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `https://r${i}.example`);
}
