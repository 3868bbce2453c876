/**
 * A binding from the store, if it is usable: parses, has life left, and its key signs.
 *
 * @module
 */

import { ClientCredential } from "../credential.ts";
import { isKeyboundError } from "../errors.ts";
import { hasLifeLeft } from "../policy/renewal.ts";
import type { StoredBinding } from "../stores.ts";
import type { Binding } from "./binding.ts";
import type { BindingDependencies, BindingRequest, FlightContext } from "./context.ts";
import { openKey } from "./key.ts";
import { isAlive } from "./probe.ts";

/** Why none of the entries is usable, though there are some that once were. */
export type Dead = "key_dead" | "key_mismatch";

/**
 * The usable one among these entries that lives longest; what is wrong with them if there is none;
 * `undefined` where there is nothing to speak of.
 *
 * Rejects with `key_provider_unavailable` where the provider can't say.
 */
export async function loadBinding(
  entries: readonly StoredBinding[],
  dependencies: BindingDependencies,
  { attest: attested }: BindingRequest,
  context: FlightContext,
): Promise<Binding | Dead | undefined> {
  const { choice, crypto, clock } = dependencies;
  if (entries.length === 0) return undefined;
  const key = await openKey(choice, context.signal);
  if (key === undefined) return "key_dead";
  let dead: Dead | undefined;
  for (const { certificate, endpoint, clientId } of entries) {
    const credential = await ClientCredential.create([certificate], key, crypto).catch(orphan);
    if (credential === "key_mismatch") dead ??= credential;
    else if (credential !== undefined && hasLifeLeft(credential.leaf, clock.now())) {
      if (!await isAlive(key, "load", dependencies, context)) return "key_dead";
      return Object.freeze({ credential, endpoint, clientId, attested });
    }
  }
  return dead;
}

/** An entry over another key is an orphan; one that doesn't parse is as good as not there. */
function orphan(error: unknown): "key_mismatch" | undefined {
  return isKeyboundError(error, "certificate_key_mismatch") ? "key_mismatch" : undefined;
}
