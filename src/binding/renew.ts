/**
 * A successor for a certificate that has lived half its life, made while it still works
 * (design: healing rule 6).
 *
 * @module
 */

import { emitOutcome } from "../events.ts";
import { type Binding, isSameBinding } from "./binding.ts";
import type { BindingDependencies, BindingRequest } from "./context.ts";
import { nextBinding } from "./succeed.ts";

/** Starts the renewal; its outcome is an event, never an error. */
export function renewInBackground(
  dependencies: BindingDependencies,
  request: BindingRequest,
  binding: Binding,
): void {
  const { alias } = request;
  const anyones = { ...request, minStrength: undefined };
  const context = dependencies.begin(alias);
  const renewed = dependencies.flights.run(`renew ${alias}`, async (signal) => {
    const next = await nextBinding(dependencies, anyones, { binding }, { ...context, signal });
    if (!isSameBinding(next.binding, binding)) dependencies.onRotate(binding);
    return next;
  });
  emitOutcome(context.emit, "renew", renewed);
}
