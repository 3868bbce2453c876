/**
 * A new binding in place of one that failed (design: healing rules 2 to 4).
 *
 * @module
 */

import { equalBytes } from "../encoding.ts";
import { type HealCause, mayRemint, remembered } from "../policy/healing.ts";
import type { StoredBinding } from "../stores.ts";
import { parseCertificate } from "../x509/certificate.ts";
import { type Binding, isSameBinding } from "./binding.ts";
import type { BindingDependencies, BindingRequest, FlightContext, Obtained } from "./context.ts";
import { adopt, evictBinding, issueBinding } from "./issue.ts";
import { loadBinding } from "./load.ts";
import { isAlive } from "./probe.ts";
import { BestEffortStore } from "./store.ts";

/**
 * The successor of `failed`: one that somebody else already made, or a new one. `undefined` while
 * the cool-down lasts; the caller then reports what the server said.
 *
 * Rejects as `mintBinding` does. A binding that may be good after all (it was only rejected) is
 * still there then.
 */
export async function healBinding(
  dependencies: BindingDependencies,
  request: BindingRequest,
  failed: Binding,
  seen: HealCause,
  context: FlightContext,
): Promise<Obtained | undefined> {
  const { cache, flights, service: { clock } } = dependencies;
  const { alias } = request;
  const current = cache.get(alias, clock.now());
  if (current !== undefined && !isSameBinding(current, failed)) {
    return { binding: current, reminted: true };
  }
  return await flights.run(
    `heal ${failed.credential.thumbprint} ${alias}`,
    (signal) => heal(dependencies, request, failed, seen, { ...context, signal }),
    context.signal,
  );
}

async function heal(
  dependencies: BindingDependencies,
  request: BindingRequest,
  failed: Binding,
  seen: HealCause,
  context: FlightContext,
): Promise<Obtained | undefined> {
  const { cache, crypto, remintCooldown, service: { clock } } = dependencies;
  const { alias } = request;
  const { key, leaf } = failed.credential;
  const probe = { trigger: "suspect" as const, crypto, clock, ...context };
  const dead = seen === "connection_reset" && !await isAlive(key, probe);
  const cause = dead ? "key_dead" : seen;
  if (!mayRemint(cache.history(alias), cause, clock.now(), remintCooldown)) {
    context.emit({ type: "heal", cause, outcome: "cooldown" });
    return undefined;
  }
  const store = new BestEffortStore(dependencies.store, context.emit);
  return await store.lock(alias, async () => {
    const entries = successors(await store.list(alias), leaf.der, leaf.notAfter);
    const loaded = await loadBinding(entries, dependencies, request, context);
    if (loaded.outcome === "usable") {
      dependencies.onEvict(failed);
      cache.remember(alias, remembered(cache.history(alias), cause, clock.now()));
      context.emit({ type: "heal", cause, outcome: "adopted" });
      return { ...adopt(dependencies, alias, loaded.binding, context), reminted: true };
    }
    // A certificate without its key is worth nothing, whatever becomes of the mint.
    const worthless = cause === "key_dead";
    if (worthless) await evictBinding(dependencies, alias, failed, cause, store, context);
    const replaced = worthless ? undefined : failed;
    const issued = await issueBinding(
      dependencies,
      request,
      "heal",
      store,
      context,
      cause,
      replaced,
    );
    context.emit({ type: "heal", cause, outcome: "reminted" });
    return issued;
  }, context.signal);
}

/** The entries that were issued after a certificate, as far as their end tells. */
export function successors(
  entries: readonly StoredBinding[],
  certificate: Uint8Array,
  notAfter: number,
): StoredBinding[] {
  return entries.filter((entry) => {
    if (equalBytes(entry.certificate, certificate)) return false;
    try {
      return parseCertificate(entry.certificate).notAfter >= notAfter;
    } catch {
      return false;
    }
  });
}
