/**
 * The key that certificates are asked for: the provider's, proved, or a new one.
 *
 * @module
 */

import { isKeyboundError, KeyboundError } from "../errors.ts";
import {
  type KeyAlgorithm,
  type KeyProvider,
  type KeyStrength,
  meetsStrength,
  type SigningKey,
} from "../keys.ts";
import type { MtlsTransport } from "../transports.ts";
import type { BindingDependencies, FlightContext } from "./context.ts";
import { isAlive } from "./probe.ts";
import { BestEffortStore } from "./store.ts";

/** Which key is wanted. */
export interface KeyChoice {
  /** Where keys come from. */
  readonly keys: KeyProvider;
  /** The key's name; all identities of a process share it. */
  readonly keyId: string;
  /** What to make where there is none. */
  readonly algorithm: KeyAlgorithm;
}

/** What a request demands of the key. */
export interface KeyDemands {
  /** Weakest key that will do. */
  readonly minStrength?: KeyStrength | undefined;
  /** Whether the key is to be attested, which only KeyGuard keys can be. */
  readonly attest: boolean;
}

/**
 * The key of this name. `undefined` where there is none, where it is gone for good
 * (`key_unusable`) or where what is kept of it can't be trusted (`key_file_invalid`): a new key
 * takes its place then. Every other failure of the provider proves nothing and surfaces.
 */
export async function openKey(
  { keys, keyId }: KeyChoice,
  signal: AbortSignal | undefined,
): Promise<SigningKey | undefined> {
  try {
    return await keys.open(keyId, { signal });
  } catch (error) {
    signal?.throwIfAborted();
    if (isKeyboundError(error, "key_unusable") || isKeyboundError(error, "key_file_invalid")) {
      return undefined;
    }
    throw error;
  }
}

/**
 * The key of this name if it signs, else a new one in its place. One at a time in this process,
 * and under the store's lock, so that nobody replaces a key that another has just made.
 */
export function livingKey(
  { choice, store, keyFlights, crypto, service: { clock } }: BindingDependencies,
  context: FlightContext,
): Promise<SigningKey> {
  const { keys, keyId, algorithm } = choice;
  return keyFlights.run(
    keyId,
    (signal) =>
      new BestEffortStore(store, context.emit).lock(`key:${keyId}`, async () => {
        const key = await openKey(choice, signal);
        const probe = { trigger: "mint" as const, crypto, clock, emit: context.emit, signal };
        if (key !== undefined && await isAlive(key, probe)) return key;
        return await keys.create(keyId, { algorithm, signal });
      }, signal),
    context.signal,
  );
}

/**
 * Refuses a key that doesn't meet the demands: `min_strength_not_met`,
 * `mtls_pop_requires_keyguard`.
 */
export function checkKey(key: SigningKey, { minStrength, attest }: KeyDemands): void {
  if (minStrength !== undefined && !meetsStrength(key.strength, minStrength)) {
    throw new KeyboundError(
      "min_strength_not_met",
      `The key here is '${key.strength}', 'minStrength' is '${minStrength}'. Use a backend with such keys.`,
    );
  }
  if (attest && key.strength !== "keyguard") {
    throw new KeyboundError(
      "mtls_pop_requires_keyguard",
      `Only KeyGuard keys can be attested; the key here is '${key.strength}'. Use a host with VBS.`,
    );
  }
}

/** The first transport that can present this key; throws `transport_not_available`. */
export function transportFor(
  key: SigningKey,
  transports: readonly MtlsTransport[],
): MtlsTransport {
  const transport = transports.find((candidate) => candidate.accepts(key));
  if (transport !== undefined) return transport;
  const names = transports.map(({ name }) => name).join(", ") || "none";
  throw new KeyboundError(
    "transport_not_available",
    `No transport takes key '${key.id}' (there are: ${names}). Add one that fits its backend.`,
  );
}
