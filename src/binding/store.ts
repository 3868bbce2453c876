/**
 * The certificate store as an acquisition uses it: helpful when it works, never in the way.
 *
 * @module
 */

import { KeyboundError } from "../errors.ts";
import type { Emit, StoreEvent } from "../events.ts";
import { raceSignal } from "../single_flight.ts";
import type { CertStore, StoredBinding } from "../stores.ts";

/**
 * How long to wait for the store's lock, in milliseconds. Its holder may be repeating requests to
 * a metadata service that is being updated, which takes up to 70 s.
 */
const LOCK_TIMEOUT = 90_000;

/** A store whose failures are events. Cancellation stays cancellation. */
export class BestEffortStore {
  readonly #store: CertStore;
  readonly #emit: Emit;

  /** Wraps `store`, telling of its failures through `emit`. */
  constructor(store: CertStore, emit: Emit) {
    this.#store = store;
    this.#emit = emit;
  }

  /** The entries of the alias; none when the store fails. */
  list(alias: string): Promise<StoredBinding[]> {
    return this.#attempt("list", () => this.#store.list(alias), []);
  }

  /** Adds an entry. */
  put(alias: string, binding: StoredBinding): Promise<void> {
    return this.#attempt("put", () => this.#store.put(alias, binding), undefined);
  }

  /** Removes the alias's entries. */
  evict(alias: string): Promise<number> {
    return this.#attempt("evict", () => this.#store.evict(alias), 0);
  }

  /**
   * Runs `work` under the store's lock, or without it where it can't be had. The lock isn't kept
   * for work that doesn't hear the signal.
   */
  async lock<T>(name: string, work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    let outcome: Promise<T> | undefined;
    try {
      const raced = () => outcome = raceSignal(work(), signal);
      return await this.#store.lock(name, raced, { signal, timeout: LOCK_TIMEOUT });
    } catch (error) {
      signal.throwIfAborted();
      // A lock that fails before or after the work is the store's failure; one around it isn't.
      if (outcome !== undefined) return await outcome;
      this.#report("lock", error);
      return await work();
    }
  }

  async #attempt<T>(
    operation: StoreEvent["operation"],
    work: () => Promise<T>,
    otherwise: T,
  ): Promise<T> {
    try {
      return await work();
    } catch (error) {
      this.#report(operation, error);
      return otherwise;
    }
  }

  #report(operation: StoreEvent["operation"], error: unknown): void {
    const code = error instanceof KeyboundError ? error.code : "store_unavailable";
    this.#emit({ type: "store", operation, code });
  }
}
