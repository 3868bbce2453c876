/**
 * The next binding of an alias: what another run or process left in the store, else a new one.
 *
 * @module
 */

import { equalBytes } from "../encoding.ts";
import { KeyboundError } from "../errors.ts";
import type { EvictReason, MintEvent } from "../events.ts";
import { type HealCause, mayRemint, remembered } from "../policy/healing.ts";
import { hasLifeLeft } from "../policy/renewal.ts";
import type { StoredBinding } from "../stores.ts";
import { parseCertificate } from "../x509/certificate.ts";
import { type Binding, isSameBinding } from "./binding.ts";
import type { BindingDependencies, BindingRequest, FlightContext, Obtained } from "./context.ts";
import { checkKey, livingKey } from "./key.ts";
import { loadBinding } from "./load.ts";
import { mintBinding } from "./mint.ts";
import { BestEffortStore } from "./store.ts";

/** The binding there was, and what speaks against it. */
export interface Predecessor {
  /** The binding to succeed. */
  readonly binding: Binding;
  /** Why; absent where it has only grown old. */
  readonly cause?: HealCause;
}

/**
 * Takes the alias's lock, and under it a usable binding from the store or a new one.
 *
 * What has no key goes at once. What may work after all is let go of when its successor is there:
 * nothing good is thrown away for nothing.
 *
 * Rejects with `key_unusable` when keys die faster than the cool-down allows to replace them, and
 * as `loadBinding` and `mintBinding` do.
 */
export function nextBinding(
  dependencies: BindingDependencies,
  request: BindingRequest,
  predecessor: Predecessor | undefined,
  context: FlightContext,
): Promise<Obtained> {
  const { cache, clock, random } = dependencies;
  const { alias } = request;
  const { emit } = context;
  const previous = predecessor?.binding;
  const store = new BestEffortStore(dependencies.store, emit);

  const keep = (binding: Binding, cause: HealCause | undefined): Obtained => {
    const now = clock.now();
    cache.set(alias, binding, now, random());
    if (cause !== undefined) cache.remember(alias, remembered(cache.history(alias), cause, now));
    return { binding, reminted: cause !== undefined };
  };
  const evict = async (reason: EvictReason) => {
    if (previous !== undefined) cache.drop(alias, previous);
    const tokens = previous === undefined ? 0 : dependencies.onEvict(previous);
    await store.evict(alias);
    emit({ type: "evict", reason, tokens });
  };

  return store.lock(alias, async () => {
    const held = cache.get(alias, clock.now());
    if (held !== undefined && !(previous !== undefined && isSameBinding(held, previous))) {
      return { binding: held, reminted: predecessor?.cause !== undefined };
    }
    const entries = successors(await store.list(alias), previous);
    const loaded = await loadBinding(entries, dependencies, request, context);
    if (typeof loaded === "object") {
      emit({ type: "adopt", notAfter: loaded.credential.leaf.notAfter });
      if (predecessor?.cause !== undefined) {
        const tokens = dependencies.onEvict(predecessor.binding);
        emit({ type: "evict", reason: predecessor.cause, tokens });
      }
      return keep(loaded, predecessor?.cause);
    }
    const dead = predecessor === undefined ? loaded : undefined;
    const cause = dead === undefined ? predecessor?.cause : "key_dead";
    if (cause === "key_dead") {
      assertMayReplaceKey(dependencies, alias);
      await evict(dead ?? cause);
    }
    const reason = cause !== undefined ? "heal" : previous !== undefined ? "renewal" : "cold";
    const binding = await mint(dependencies, request, reason, context);
    const obtained = keep(binding, cause);
    if (cause !== undefined && cause !== "key_dead") await evict(cause);
    const { credential: { leaf }, endpoint, clientId } = binding;
    if (hasLifeLeft(leaf, clock.now())) {
      await store.put(alias, { certificate: leaf.der, endpoint, clientId });
    }
    return obtained;
  }, context.signal);
}

async function mint(
  dependencies: BindingDependencies,
  request: BindingRequest,
  reason: MintEvent["reason"],
  context: FlightContext,
): Promise<Binding> {
  const { transports, clock } = dependencies;
  const { attestor, attest } = request;
  const start = clock.now();
  const binding = await mintBinding({ ...dependencies, attestor }, async () => {
    const key = await livingKey(dependencies, context);
    checkKey(key, request, transports);
    return key;
  }, context);
  const { leaf: { notAfter }, key: { strength } } = binding.credential;
  const duration = clock.now() - start;
  context.emit({ type: "mint", reason, strength, attested: attest, notAfter, duration });
  return binding;
}

/** The entries issued after this binding, as far as their end tells; all where there is none. */
function successors(entries: readonly StoredBinding[], previous?: Binding): StoredBinding[] {
  return entries.filter(({ certificate }) => {
    if (previous === undefined) return true;
    const { der, notAfter } = previous.credential.leaf;
    try {
      return !equalBytes(certificate, der) && parseCertificate(certificate).notAfter >= notAfter;
    } catch {
      return false;
    }
  });
}

function assertMayReplaceKey(
  { cache, choice, remintCooldown, clock }: BindingDependencies,
  alias: string,
): void {
  if (mayRemint(cache.history(alias), "key_dead", clock.now(), remintCooldown)) return;
  throw new KeyboundError(
    "key_unusable",
    `Key '${choice.keyId}' died again soon after being replaced. Check its device.`,
    { retryable: true },
  );
}
