/**
 * Certificates in `My`, the certificate store of a user or machine of Windows.
 *
 * @module
 */

import { type Clock, systemClock } from "../../src/clock.ts";
import { type Bytes, equalBytes } from "../../src/encoding.ts";
import { isKeyboundError, KeyboundError } from "../../src/errors.ts";
import { DEFAULT_LOCK_TIMEOUT } from "../../src/lock_queue.ts";
import { assertStorable, isExpired, isWorthAdding, newestFirst } from "../../src/store_rules.ts";
import type { CertStore, LockOptions, StoredBinding } from "../../src/stores.ts";
import { type Certificate, parseCertificate } from "../../src/x509/certificate.ts";
import { type CertificateStore, type StoreScope, withCertificates } from "./certificates.ts";
import { Cng } from "./cng.ts";
import { encodeFriendlyName } from "./friendly_name.ts";
import { acquireMutex } from "./mutex.ts";
import { mutexName } from "./names.ts";
import { findOrphans } from "./orphans.ts";
import type { WindowsKeyProvider } from "./provider.ts";
import {
  assertNames,
  assertWindowsAlias,
  isOfAlias,
  readEntry,
  type WindowsEntry,
} from "./store_entry.ts";
import { type WindowsSystem, windowsSystem } from "./system.ts";

/** Options of {@linkcode windowsStore}. */
export interface WindowsStoreOptions {
  /**
   * Knows where keys are, so that a certificate says where its own is: what other programs and
   * SChannel go by. @default none: certificates say nothing of their keys
   */
  keys?: Pick<WindowsKeyProvider, "containerOf">;
  /** `CurrentUser\My` or `LocalMachine\My`, which takes an administrator. @default "user" */
  scope?: StoreScope;
  /** Time. @default the runtime's */
  clock?: Clock;
  /**
   * Windows itself, or what stands in for it in a test. @default the system of this process
   *
   * @internal
   */
  system?: () => Promise<WindowsSystem>;
}

/** Milliseconds that a change waits for other processes (protocol.md section 3.4). */
const BUSY_TIMEOUT = 300;

/**
 * The certificate store of the user or machine, in the form of .NET's library: its processes and
 * ours find each other's bindings, and its mutex is the lock.
 *
 * An entry's client id is its certificate's common name, a UUID. `put` rejects with
 * `invalid_argument` where they differ, and with `store_unavailable` where another process holds
 * the lock for more than 0.3 s or the certificate is there under another alias: Windows keeps each
 * only once. Entries whose key is gone are deleted when they are read.
 *
 * @example
 * ```ts
 * const keys = windowsKeys();
 * const store = windowsStore({ keys });
 * ```
 */
export function windowsStore(options: WindowsStoreOptions = {}): CertStore {
  return new WindowsStore(options);
}

class WindowsStore implements CertStore {
  readonly name = "windows";
  readonly #keys: WindowsStoreOptions["keys"];
  readonly #scope: StoreScope;
  readonly #clock: Clock;
  readonly #system: () => Promise<WindowsSystem>;

  constructor(options: WindowsStoreOptions) {
    const { keys, scope = "user", clock = systemClock(), system = windowsSystem } = options;
    this.#keys = keys;
    this.#scope = scope;
    this.#clock = clock;
    this.#system = system;
  }

  async list(alias: string): Promise<StoredBinding[]> {
    assertWindowsAlias(alias);
    return await this.#attempt(async (system) => {
      const entries = await this.#living(system, alias);
      return newestFirst(entries, this.#clock.now()).map(({ binding }) => binding);
    });
  }

  async put(alias: string, binding: StoredBinding): Promise<void> {
    assertWindowsAlias(alias);
    assertStorable(binding);
    const certificate = parseCertificate(binding.certificate);
    assertNames(certificate, binding.clientId);
    const { endpoint } = binding;
    await this.#attempt(async (system) => {
      await this.#living(system, alias);
      const release = await this.#hold(system, alias);
      try {
        this.#with(system, (store) => this.#add(store, alias, endpoint, certificate));
      } finally {
        release();
      }
    });
  }

  async evict(alias: string): Promise<number> {
    assertWindowsAlias(alias);
    // Without the mutex: no deletion can wait until another process has minted, and each is whole.
    return await this.#attempt((system) =>
      this.#with(system, (store) => store.remove((stored) => isOfAlias(stored, alias)))
    );
  }

  async lock<T>(alias: string, work: () => Promise<T>, options: LockOptions = {}): Promise<T> {
    assertWindowsAlias(alias);
    const { timeout = DEFAULT_LOCK_TIMEOUT, signal } = options;
    const clock = this.#clock;
    const deadline = clock.now() + timeout;
    signal?.throwIfAborted();
    const { locks, kernel32 } = await this.#attempt((system) => system);
    return await locks.run(alias, async () => {
      const wait = { clock, deadline, timeout, signal };
      const release = await acquireMutex(kernel32, mutexName(alias), wait);
      try {
        return await work();
      } finally {
        release();
      }
    }, { clock, timeout, signal });
  }

  /** The entries of the alias whose keys are there; the others are deleted, if they can be now. */
  async #living(system: WindowsSystem, alias: string): Promise<WindowsEntry[]> {
    const entries = this.#with(system, (store) => entriesOf(store, alias));
    const orphans = await findOrphans(entries, new Cng(system));
    if (orphans.size === 0) return entries;
    const doomed = [...orphans].map(({ binding }) => binding.certificate);
    await this.#delete(system, alias, doomed).catch((error) => {
      // They aren't given out, and the next who reads tries again.
      if (!isKeyboundError(error)) throw error;
    });
    return entries.filter((entry) => !orphans.has(entry));
  }

  async #delete(system: WindowsSystem, alias: string, doomed: readonly Bytes[]): Promise<void> {
    const release = await this.#hold(system, alias);
    try {
      this.#with(
        system,
        (store) =>
          store.remove((stored) =>
            isOfAlias(stored, alias) && doomed.some((der) => equalBytes(der, stored.der))
          ),
      );
    } finally {
      release();
    }
  }

  /** Called while nobody else writes to the alias. */
  #add(store: CertificateStore, alias: string, endpoint: string, certificate: Certificate): void {
    const now = this.#clock.now();
    if (!isWorthAdding(certificate, entriesOf(store, alias), now)) return;
    const name = encodeFriendlyName({ alias, endpoint })!;
    if (!store.add(certificate.der, name, this.#keys?.containerOf(certificate.spki))) {
      throw new KeyboundError(
        "store_unavailable",
        "The certificate is in the store already, not as one of this alias. Delete it there first.",
      );
    }
    store.remove((stored) => {
      const entry = readEntry(stored, alias);
      return entry !== undefined && isExpired(entry, now);
    });
  }

  /** The mutex of the alias. This thread has it again where it has it already. */
  async #hold(system: WindowsSystem, alias: string): Promise<() => void> {
    const clock = this.#clock;
    const deadline = clock.now() + BUSY_TIMEOUT;
    const wait = { clock, deadline, timeout: BUSY_TIMEOUT };
    return await acquireMutex(system.kernel32, mutexName(alias), wait);
  }

  #with<T>(system: WindowsSystem, work: (store: CertificateStore) => T): T {
    return withCertificates(system, this.#scope, work);
  }

  async #attempt<T>(work: (system: WindowsSystem) => T | Promise<T>): Promise<T> {
    try {
      return await work(await this.#system());
    } catch (error) {
      const isOurs = isKeyboundError(error) && /^(invalid_|store_unavail)/.test(error.code);
      if (isOurs) throw error;
      const { message, retryable = false } = error as Partial<KeyboundError>;
      throw new KeyboundError("store_unavailable", `${message}`, { cause: error, retryable });
    }
  }
}

function entriesOf(store: CertificateStore, alias: string): WindowsEntry[] {
  return store.list().flatMap((stored) => readEntry(stored, alias) ?? []);
}
