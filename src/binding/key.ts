/**
 * The key that certificates are asked for: the provider's, proved, or a new one.
 *
 * @module
 */

import { isKeyboundError, KeyboundError } from "../errors.ts";
import { meetsStrength, type SigningKey } from "../keys.ts";
import type { MtlsTransport } from "../transports.ts";
import type { BindingDependencies, FlightContext, KeyChoice, KeyDemands } from "./context.ts";
import { isAlive } from "./probe.ts";
import { BestEffortStore } from "./store.ts";

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
  dependencies: BindingDependencies,
  context: FlightContext,
): Promise<SigningKey> {
  const { choice, store, keyFlights } = dependencies;
  const { keys, keyId, algorithm } = choice;
  return keyFlights.run(
    keyId,
    (signal) =>
      new BestEffortStore(store, context.emit).lock(`key:${keyId}`, async () => {
        const key = await openKey(choice, signal);
        if (key && await isAlive(key, "mint", dependencies, { ...context, signal })) return key;
        return await keys.create(keyId, { algorithm, signal });
      }, signal),
    context.signal,
  );
}

/**
 * The transport for a key. Refuses a key that doesn't meet the demands (`min_strength_not_met`,
 * `mtls_pop_requires_keyguard`) or that no transport takes (`transport_not_available`).
 */
export function checkKey(
  key: SigningKey,
  { minStrength, attest }: KeyDemands,
  transports: readonly MtlsTransport[],
): MtlsTransport {
  if (minStrength !== undefined && !meetsStrength(key.strength, minStrength)) {
    throw new KeyboundError(
      "min_strength_not_met",
      `The key is '${key.strength}', 'minStrength' is '${minStrength}'. Use a backend with such keys.`,
    );
  }
  if (attest && key.strength !== "keyguard") {
    throw new KeyboundError(
      "mtls_pop_requires_keyguard",
      `The key is '${key.strength}'; only 'keyguard' keys can be attested. Use a host with VBS.`,
    );
  }
  const transport = transports.find((candidate) => candidate.accepts(key));
  if (transport !== undefined) return transport;
  throw new KeyboundError(
    "transport_not_available",
    `No transport takes key '${key.id}'. Add one that fits its backend.`,
  );
}
