/**
 * The bindings of this process and what is known about each.
 *
 * @module
 */

import type { RemintHistory } from "../policy/healing.ts";
import { hasLifeLeft, RENEWAL_PAUSE, renewalTime } from "../policy/renewal.ts";
import { type Binding, isSameBinding } from "./binding.ts";

interface Entry {
  readonly binding: Binding;
  /** When its key last signed, as far as this process saw. */
  provedAt: number;
  /** When its successor is due. */
  renewAt: number;
}

/** Bindings by alias. Times are in milliseconds since the Unix epoch. */
export class BindingCache {
  readonly #entries = new Map<string, Entry>();
  readonly #history = new Map<string, RemintHistory>();

  /** The alias's binding, if it has life left. */
  get(alias: string, now: number): Binding | undefined {
    const binding = this.#entries.get(alias)?.binding;
    if (binding === undefined) return undefined;
    if (hasLifeLeft(binding.credential.leaf, now)) return binding;
    this.#entries.delete(alias);
    return undefined;
  }

  /**
   * Remembers a binding whose key has just signed. One that hasn't enough life left to be taken
   * from a cache isn't kept. `random` in [0, 1) spreads its renewal.
   */
  set(alias: string, binding: Binding, now: number, random: number): void {
    const { leaf } = binding.credential;
    if (!hasLifeLeft(leaf, now)) {
      this.#entries.delete(alias);
      return;
    }
    this.#entries.set(alias, { binding, provedAt: now, renewAt: renewalTime(leaf, random) });
  }

  /** Forgets this binding; another one of the alias stays. */
  drop(alias: string, binding: Binding): void {
    if (this.#holds(alias, binding)) this.#entries.delete(alias);
  }

  /** When the key of this binding last signed; `undefined` for one that isn't held. */
  provedAt(alias: string, binding: Binding): number | undefined {
    return this.#holds(alias, binding)?.provedAt;
  }

  /** Notes that the key of this binding has just signed. */
  proved(alias: string, binding: Binding, now: number): void {
    const entry = this.#holds(alias, binding);
    if (entry !== undefined) entry.provedAt = now;
  }

  /** Whether a renewal is due. If so, another one isn't for 5 minutes. */
  takeRenewal(alias: string, now: number): boolean {
    const entry = this.#entries.get(alias);
    if (entry === undefined || now < entry.renewAt) return false;
    entry.renewAt = now + RENEWAL_PAUSE;
    return true;
  }

  /** When the alias was last re-minted. */
  history(alias: string): RemintHistory {
    return this.#history.get(alias) ?? {};
  }

  /** Replaces the alias's history. */
  remember(alias: string, history: RemintHistory): void {
    this.#history.set(alias, history);
  }

  #holds(alias: string, binding: Binding): Entry | undefined {
    const entry = this.#entries.get(alias);
    return entry !== undefined && isSameBinding(entry.binding, binding) ? entry : undefined;
  }
}
