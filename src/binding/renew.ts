/**
 * A successor for a certificate that has lived half its life, made while it still works
 * (design: healing rule 6).
 *
 * @module
 */

import { isKeyboundError } from "../errors.ts";
import { type Binding, isSameBinding } from "./binding.ts";
import type { BindingDependencies, BindingRequest, FlightContext, Obtained } from "./context.ts";
import { successors } from "./heal.ts";
import { adopt, issueBinding } from "./issue.ts";
import { loadBinding } from "./load.ts";
import { BestEffortStore } from "./store.ts";

/** Starts the renewal; its outcome is an event, never an error. */
export function renewInBackground(
  dependencies: BindingDependencies,
  request: BindingRequest,
  previous: Binding,
): void {
  const { alias } = request;
  const context = dependencies.begin(alias);
  dependencies.flights.run(
    `renew ${alias}`,
    (signal) => renew(dependencies, request, previous, { ...context, signal }),
  ).then(
    () => context.emit({ type: "renew", outcome: "done" }),
    (error) =>
      context.emit({
        type: "renew",
        outcome: "failed",
        ...(isKeyboundError(error) ? { code: error.code } : {}),
      }),
  );
}

async function renew(
  dependencies: BindingDependencies,
  request: BindingRequest,
  previous: Binding,
  context: FlightContext,
): Promise<Obtained> {
  const { alias } = request;
  const { leaf } = previous.credential;
  const store = new BestEffortStore(dependencies.store, context.emit);
  const renewed = await store.lock(alias, async () => {
    const entries = successors(await store.list(alias), leaf.der, leaf.notAfter + 1);
    const loaded = await loadBinding(entries, dependencies, request, context);
    return loaded.outcome === "usable"
      ? adopt(dependencies, alias, loaded.binding, context)
      : await issueBinding(dependencies, request, "renewal", store, context);
  }, context.signal);
  if (!isSameBinding(renewed.binding, previous)) dependencies.onRotate(previous);
  return renewed;
}
