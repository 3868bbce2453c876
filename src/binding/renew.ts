/**
 * A successor for a certificate that has lived half its life, made while it still works
 * (design: healing rule 6).
 *
 * @module
 */

import { KeyboundError } from "../errors.ts";
import { type Binding, isSameBinding } from "./binding.ts";
import type { BindingDependencies, BindingRequest } from "./context.ts";
import { nextBinding } from "./succeed.ts";

/** Starts the renewal; its outcome is an event, never an error. */
export async function renewInBackground(
  dependencies: BindingDependencies,
  request: BindingRequest,
  binding: Binding,
): Promise<void> {
  const { alias } = request;
  const context = dependencies.begin(alias);
  try {
    const next = await dependencies.flights.run(
      `renew ${alias}`,
      (signal) => nextBinding(dependencies, request, { binding }, { ...context, signal }),
    );
    if (next !== undefined && !isSameBinding(next.binding, binding)) dependencies.onRotate(binding);
    context.emit({ type: "renew", outcome: "done" });
  } catch (error) {
    const code = error instanceof KeyboundError ? error.code : undefined;
    context.emit({ type: "renew", outcome: "failed", code });
  }
}
