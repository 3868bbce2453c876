/**
 * Certificates in the memory of this process: nothing outlives it and nothing is shared.
 *
 * @module
 */

import { type Clock, systemClock } from "../../src/clock.ts";
import { LockQueue } from "../../src/lock_queue.ts";
import {
  assertAlias,
  assertStorable,
  isExpired,
  isWorthAdding,
  newestFirst,
} from "../../src/store_rules.ts";
import type { CertStore, StoredBinding } from "../../src/stores.ts";
import { parseCertificate } from "../../src/x509/certificate.ts";

/** Options of {@linkcode memoryStore}. */
export interface MemoryStoreOptions {
  /** Time. @default the runtime's */
  clock?: Clock;
}

interface Entry {
  readonly binding: StoredBinding;
  readonly notAfter: number;
}

/**
 * A certificate store in memory. Stores made by separate calls share nothing, locks included.
 *
 * @example
 * ```ts
 * const store = memoryStore();
 * await store.put("system_assigned_managed_identity#att=0", { certificate, endpoint, clientId });
 * const [newest] = await store.list("system_assigned_managed_identity#att=0");
 * ```
 */
export function memoryStore({ clock = systemClock() }: MemoryStoreOptions = {}): CertStore {
  const entries = new Map<string, readonly Entry[]>();
  const locks = new LockQueue();
  const entriesOf = (alias: string) => entries.get(alias) ?? [];
  return {
    name: "memory",
    // deno-lint-ignore require-await
    async list(alias) {
      assertAlias(alias);
      return newestFirst(entriesOf(alias), clock.now()).map(({ binding }) => copy(binding));
    },
    // deno-lint-ignore require-await
    async put(alias, binding) {
      assertAlias(alias);
      assertStorable(binding);
      const { notAfter } = parseCertificate(binding.certificate);
      const now = clock.now();
      if (!isWorthAdding({ notAfter }, entriesOf(alias), now)) return;
      const live = entriesOf(alias).filter((entry) => !isExpired(entry, now));
      entries.set(alias, [...live, { binding: copy(binding), notAfter }]);
    },
    // deno-lint-ignore require-await
    async evict(alias) {
      assertAlias(alias);
      const { length } = entriesOf(alias);
      entries.delete(alias);
      return length;
    },
    async lock(alias, work, { signal, timeout } = {}) {
      assertAlias(alias);
      return await locks.run(alias, work, { clock, signal, timeout });
    },
  };
}

/** A copy, so that neither who gave nor who got the bytes can change what is stored. */
function copy({ certificate, endpoint, clientId }: StoredBinding): StoredBinding {
  return { certificate: certificate.slice(), endpoint, clientId };
}
