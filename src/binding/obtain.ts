/**
 * The binding to use now: from memory, from the store, or newly minted (design: section 3).
 *
 * @module
 */

import { KeyboundError } from "../errors.ts";
import { isProbeDue, mayRemint } from "../policy/healing.ts";
import type { Binding } from "./binding.ts";
import type { BindingDependencies, BindingRequest, FlightContext, Obtained } from "./context.ts";
import { healBinding } from "./heal.ts";
import { adopt, issueBinding } from "./issue.ts";
import { checkKey, livingKey, openKey, transportFor } from "./key.ts";
import { loadBinding } from "./load.ts";
import { isAlive } from "./probe.ts";
import { renewInBackground } from "./renew.ts";
import { BestEffortStore } from "./store.ts";

/**
 * A binding whose key has signed within the probe interval.
 *
 * Rejects with `min_strength_not_met`, `mtls_pop_requires_keyguard` and `transport_not_available`
 * before any certificate is asked for, `key_unusable` when keys die faster than the cool-down
 * allows to replace them, and as `mintBinding` does.
 */
export async function obtainBinding(
  dependencies: BindingDependencies,
  request: BindingRequest,
  context: FlightContext,
): Promise<Obtained> {
  const { cache, service, transports } = dependencies;
  const held = cache.get(request.alias, service.clock.now());
  if (held === undefined) await checkDemands(dependencies, request, context);
  const obtained = held === undefined
    ? await loadOrMint(dependencies, request, context)
    : await proveOrReplace(dependencies, request, held, context);
  const { key } = obtained.binding.credential;
  checkKey(key, request);
  transportFor(key, transports);
  if (cache.takeRenewal(request.alias, service.clock.now())) {
    renewInBackground(dependencies, request, obtained.binding);
  }
  return obtained;
}

/** What can be known of the key before any network is known before any network. */
async function checkDemands(
  dependencies: BindingDependencies,
  request: BindingRequest,
  context: FlightContext,
): Promise<void> {
  const { choice, transports } = dependencies;
  const demanding = request.attest || (request.minStrength ?? "software") !== "software";
  const key = demanding
    ? await livingKey(dependencies, context)
    : await openKey(choice, context.signal);
  if (key === undefined) return;
  checkKey(key, request);
  transportFor(key, transports);
}

async function proveOrReplace(
  dependencies: BindingDependencies,
  request: BindingRequest,
  held: Binding,
  context: FlightContext,
): Promise<Obtained> {
  if (await isProven(dependencies, request.alias, held, context)) {
    return { binding: held, reminted: false };
  }
  const healed = await healBinding(dependencies, request, held, "key_dead", context);
  if (healed !== undefined) return healed;
  throw keyKeepsDying(dependencies);
}

/** Whether the key signed recently or signs now. */
export async function isProven(
  { cache, crypto, flights, probeInterval, service: { clock } }: BindingDependencies,
  alias: string,
  binding: Binding,
  context: FlightContext,
): Promise<boolean> {
  const { key, thumbprint } = binding.credential;
  const provedAt = cache.provedAt(alias, binding);
  if (provedAt !== undefined && !isProbeDue(provedAt, clock.now(), probeInterval)) return true;
  const proof = await flights.run(`probe ${thumbprint} ${alias}`, async (signal) => {
    const probe = { trigger: "stale" as const, crypto, clock, emit: context.emit, signal };
    if (!await isAlive(key, probe)) return undefined;
    cache.proved(alias, binding, clock.now());
    return { binding, reminted: false };
  }, context.signal);
  return proof !== undefined;
}

async function loadOrMint(
  dependencies: BindingDependencies,
  request: BindingRequest,
  context: FlightContext,
): Promise<Obtained> {
  const { cache, flights, remintCooldown, service: { clock } } = dependencies;
  const { alias } = request;
  const obtained = await flights.run(`load ${alias}`, (signal) => {
    const flight = { ...context, signal };
    const store = new BestEffortStore(dependencies.store, context.emit);
    return store.lock(alias, async () => {
      const loaded = await loadBinding(await store.list(alias), dependencies, request, flight);
      if (loaded.outcome === "usable") return adopt(dependencies, alias, loaded.binding, flight);
      if (loaded.outcome === "none") {
        return await issueBinding(dependencies, request, "cold", store, flight);
      }
      if (!mayRemint(cache.history(alias), "key_dead", clock.now(), remintCooldown)) {
        throw keyKeepsDying(dependencies);
      }
      await store.evict(alias);
      context.emit({ type: "evict", reason: loaded.reason, tokens: 0 });
      return await issueBinding(dependencies, request, "heal", store, flight, "key_dead");
    }, signal);
  }, context.signal);
  return obtained!;
}

function keyKeepsDying({ choice, remintCooldown }: BindingDependencies): KeyboundError {
  return new KeyboundError(
    "key_unusable",
    `Key '${choice.keyId}' of backend '${choice.keys.name}' died again within ${remintCooldown} ms of being replaced. Check the device behind it; the next attempt is made after that pause.`,
    { retryable: true },
  );
}
