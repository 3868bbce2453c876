/**
 * A new binding in place of one that failed (design: healing rules 2 to 4).
 *
 * @module
 */

import { type HealCause, mayRemint } from "../policy/healing.ts";
import { type Binding, isSameBinding } from "./binding.ts";
import type { BindingDependencies, BindingRequest, FlightContext, Obtained } from "./context.ts";
import { isAlive } from "./probe.ts";
import { nextBinding } from "./succeed.ts";

/**
 * The successor of `failed`: one that somebody else already made, or a new one. `undefined` while
 * the cool-down lasts; the caller then reports what the server said.
 *
 * Rejects as `nextBinding` does. A binding that may be good after all is still there then.
 */
export async function healBinding(
  dependencies: BindingDependencies,
  request: BindingRequest,
  failed: Binding,
  seen: HealCause,
  context: FlightContext,
): Promise<Obtained | undefined> {
  const { cache, flights, remintCooldown, clock } = dependencies;
  const { alias } = request;
  const current = cache.get(alias, clock.now());
  if (current !== undefined && !isSameBinding(current, failed)) {
    // Tokens of a binding that is only older still have their use, those of a dead one don't.
    if (seen === "key_dead") {
      context.emit({ type: "evict", reason: seen, tokens: dependencies.onEvict(failed) });
    }
    return { binding: current, reminted: true };
  }
  const { key, thumbprint } = failed.credential;
  const kind = seen === "key_dead" ? seen : "wire";
  const flight = `heal ${kind} ${request.minStrength} ${thumbprint} ${alias}`;
  return await flights.run(flight, async (signal) => {
    const inFlight = { ...context, signal };
    const isDead = seen === "connection_reset" &&
      !await isAlive(key, "suspect", dependencies, inFlight);
    const cause = isDead ? "key_dead" : seen;
    const isAllowed = cause === "key_dead" ||
      mayRemint(cache.history(alias), cause, clock.now(), remintCooldown);
    context.emit({ type: "heal", cause, outcome: isAllowed ? "started" : "cooldown" });
    if (!isAllowed) return undefined;
    return await nextBinding(dependencies, request, { binding: failed, cause }, inFlight);
  }, context.signal);
}
