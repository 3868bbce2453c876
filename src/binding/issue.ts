/**
 * A mint and what follows from it: caches, store, events.
 *
 * @module
 */

import type { EvictReason, MintEvent } from "../events.ts";
import { type HealCause, remembered } from "../policy/healing.ts";
import { hasLifeLeft } from "../policy/renewal.ts";
import type { Binding } from "./binding.ts";
import type { BindingDependencies, BindingRequest, FlightContext, Obtained } from "./context.ts";
import { checkKey, livingKey, transportFor } from "./key.ts";
import { mintBinding } from "./mint.ts";
import type { BestEffortStore } from "./store.ts";

/**
 * Mints a binding, keeps it, and only then lets go of the one it replaces: what may work is not
 * thrown away before there is something better. To be called under the alias's lock.
 */
export async function issueBinding(
  dependencies: BindingDependencies,
  request: BindingRequest,
  reason: MintEvent["reason"],
  store: BestEffortStore,
  context: FlightContext,
  cause?: HealCause,
  replaced?: Binding,
): Promise<Obtained> {
  const { cache, transports, service: { clock, random } } = dependencies;
  const { alias, attestor, attest } = request;
  const start = clock.now();
  const binding = await mintBinding({ ...dependencies, attestor }, async (signal) => {
    const key = await livingKey(dependencies, { ...context, signal });
    checkKey(key, request);
    transportFor(key, transports);
    return key;
  }, context);
  const now = clock.now();
  const { leaf, key } = binding.credential;
  context.emit({
    type: "mint",
    reason,
    strength: key.strength,
    attested: attest,
    notAfter: leaf.notAfter,
    duration: now - start,
  });
  if (cause !== undefined) cache.remember(alias, remembered(cache.history(alias), cause, now));
  cache.set(alias, binding, now, random());
  if (cause !== undefined && replaced !== undefined) {
    await evictBinding(dependencies, alias, replaced, cause, store, context);
  }
  if (hasLifeLeft(leaf, now)) {
    const { endpoint, clientId } = binding;
    await store.put(alias, { certificate: leaf.der, endpoint, clientId });
  }
  return { binding, reminted: reason === "heal" };
}

/** Throws a binding away, and the tokens bound to it: from memory, store and connections. */
export async function evictBinding(
  { cache, onEvict }: BindingDependencies,
  alias: string,
  binding: Binding,
  reason: EvictReason,
  store: BestEffortStore,
  { emit }: FlightContext,
): Promise<void> {
  cache.drop(alias, binding);
  const tokens = onEvict(binding);
  await store.evict(alias);
  emit({ type: "evict", reason, tokens });
}

/** Keeps a binding that another run or process has left in the store. */
export function adopt(
  { cache, service: { clock, random } }: BindingDependencies,
  alias: string,
  binding: Binding,
  { emit }: FlightContext,
): Obtained {
  cache.set(alias, binding, clock.now(), random());
  emit({ type: "adopt", notAfter: binding.credential.leaf.notAfter });
  return { binding, reminted: false };
}
