/**
 * The binding to use now: from memory, from the store, or newly minted (design: section 3).
 *
 * @module
 */

import { isProbeDue } from "../policy/healing.ts";
import type { Binding } from "./binding.ts";
import type { BindingDependencies, BindingRequest, FlightContext, Obtained } from "./context.ts";
import { healBinding } from "./heal.ts";
import { checkKey, livingKey, openKey } from "./key.ts";
import { isAlive } from "./probe.ts";
import { renewInBackground } from "./renew.ts";
import { nextBinding } from "./succeed.ts";

/**
 * A binding whose key has signed within the probe interval.
 *
 * Rejects with `min_strength_not_met`, `mtls_pop_requires_keyguard` and `transport_not_available`
 * before any certificate is asked for, and as `nextBinding` does.
 */
export async function obtainBinding(
  dependencies: BindingDependencies,
  request: BindingRequest,
  context: FlightContext,
): Promise<Obtained> {
  const { cache, flights, clock, transports } = dependencies;
  const { alias } = request;
  const held = cache.get(alias, clock.now());
  if (held === undefined) await checkDemands(dependencies, request, context);
  else checkKey(held.credential.key, request, transports);
  const obtained = held !== undefined
    ? await prove(dependencies, request, held, context)
    : (await flights.run(
      `load ${request.minStrength} ${alias}`,
      (signal) => nextBinding(dependencies, request, undefined, { ...context, signal }),
      context.signal,
    ))!;
  const { binding } = obtained;
  checkKey(binding.credential.key, request, transports);
  if (cache.takeRenewal(alias, clock.now())) renewInBackground(dependencies, request, binding);
  return obtained;
}

/** What can be known of the key before any network is known before any network. */
async function checkDemands(
  dependencies: BindingDependencies,
  request: BindingRequest,
  context: FlightContext,
): Promise<void> {
  const { choice, transports } = dependencies;
  const isDemanding = request.attest || (request.minStrength ?? "software") !== "software";
  const key = isDemanding
    ? await livingKey(dependencies, context)
    : await openKey(choice, context.signal);
  if (key !== undefined) checkKey(key, request, transports);
}

/** This binding if its key signed recently or signs now, else its successor (healing rule 1). */
export async function prove(
  dependencies: BindingDependencies,
  request: BindingRequest,
  binding: Binding,
  context: FlightContext,
): Promise<Obtained> {
  const { cache, flights, probeInterval, clock } = dependencies;
  const { alias } = request;
  const proven = { binding, reminted: false };
  const provedAt = cache.provedAt(alias, binding);
  if (provedAt !== undefined && !isProbeDue(provedAt, clock.now(), probeInterval)) return proven;
  const { key, thumbprint } = binding.credential;
  const proof = await flights.run(`probe ${thumbprint} ${alias}`, async (signal) => {
    if (!await isAlive(key, "stale", dependencies, { ...context, signal })) return undefined;
    cache.proved(alias, binding, clock.now());
    return proven;
  }, context.signal);
  // A dead key knows no cool-down but its own, which is an error.
  return proof ?? (await healBinding(dependencies, request, binding, "key_dead", context))!;
}
