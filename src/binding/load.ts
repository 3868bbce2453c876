/**
 * A binding from the store, if it is usable: parses, has life left, and its key signs.
 *
 * @module
 */

import { ClientCredential } from "../credential.ts";
import { KeyboundError } from "../errors.ts";
import { hasLifeLeft } from "../policy/renewal.ts";
import type { StoredBinding } from "../stores.ts";
import type { Binding } from "./binding.ts";
import type { BindingDependencies, BindingRequest, FlightContext } from "./context.ts";
import { openKey } from "./key.ts";
import { isAlive } from "./probe.ts";

/** What was found in the store. */
export type Loaded =
  | { readonly outcome: "usable"; readonly binding: Binding }
  | { readonly outcome: "none" }
  | { readonly outcome: "dead"; readonly reason: "key_dead" | "key_mismatch" };

/**
 * The usable one among these entries that lives longest.
 *
 * Rejects with `key_provider_unavailable` or `key_file_invalid` where the provider can't say.
 */
export async function loadBinding(
  entries: readonly StoredBinding[],
  dependencies: BindingDependencies,
  { attest }: BindingRequest,
  context: FlightContext,
): Promise<Loaded> {
  const { choice, crypto, service: { clock } } = dependencies;
  if (entries.length === 0) return { outcome: "none" };
  const key = await openKey(choice, context.signal);
  let reason: "key_dead" | "key_mismatch" | undefined;
  let alive: boolean | undefined;
  for (const { certificate, endpoint, clientId } of entries) {
    const credential = key === undefined
      ? "key_dead" as const
      : await ClientCredential.create([certificate], key, crypto).catch(orphan);
    if (typeof credential === "string") {
      reason ??= credential;
      continue;
    }
    if (credential === undefined || !hasLifeLeft(credential.leaf, clock.now())) continue;
    alive ??= await isAlive(credential.key, "load", dependencies, context);
    if (alive) {
      const binding = Object.freeze({ credential, endpoint, clientId, attested: attest });
      return { outcome: "usable", binding };
    }
    reason = "key_dead";
  }
  return reason === undefined ? { outcome: "none" } : { outcome: "dead", reason };
}

/** An entry over another key is an orphan; one that doesn't parse is as good as not there. */
function orphan(error: unknown): "key_mismatch" | undefined {
  if (!(error instanceof KeyboundError)) throw error;
  return error.code === "certificate_key_mismatch" ? "key_mismatch" : undefined;
}
