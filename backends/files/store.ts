/**
 * Certificates in files.
 *
 * @module
 */

import type { Clock } from "../../src/clock.ts";
import { isKeyboundError, KeyboundError } from "../../src/errors.ts";
import { DEFAULT_LOCK_TIMEOUT, LockQueue } from "../../src/lock_queue.ts";
import {
  assertAlias,
  assertStorable,
  isExpired,
  isWorthAdding,
  newestFirst,
} from "../../src/store_rules.ts";
import type { CertStore, LockOptions, StoredBinding } from "../../src/stores.ts";
import { parseCertificate } from "../../src/x509/certificate.ts";
import {
  aliasHash,
  decodeEntry,
  encodeEntry,
  type Entry,
  entryName,
  isEntryName,
  MAX_ENTRY_SIZE,
} from "./entry.ts";
import { isTransient } from "./file_system.ts";
import { acquireFileLock } from "./lock.ts";
import type { ProcessIdentity } from "./lock_owner.ts";
import { PrivateDirectory } from "./private_directory.ts";
import { hostSurroundings, type Surroundings } from "./surroundings.ts";

/** Options of {@linkcode fileStore}. */
export interface FileStoreOptions {
  /** Where the files are. Made with mode 0700 where it isn't there. */
  directory: string;
  /** Time. @default the runtime's */
  clock?: Clock;
}

/**
 * A certificate store in a directory, shared by the processes of one user that name the same one.
 *
 * Each entry is a JSON file of mode 0600, replaced whole. A file that is corrupt, a symbolic link,
 * another user's or writable by others is renamed to `*.rejected`, of which 16 are kept.
 *
 * Rejects with `store_unavailable` when the file system fails, and when the directory is a symbolic
 * link, another user's or writable by others.
 *
 * The lock outlives no holder: when its process has died, however it died, the next waiter takes it
 * within 0.1 s. Holders in other containers and on other hosts can't be looked at; there it takes
 * 30 s without a sign of life, and clocks that agree within some seconds.
 *
 * Deno asks for `--allow-read` and `--allow-write` of the directory and `--allow-sys=uid`; it lets
 * nobody look at other processes without `--allow-all`, so those 30 s apply there as well.
 *
 * @example
 * ```ts
 * const store = fileStore({ directory: "/var/lib/app/certificates" });
 * ```
 */
export function fileStore({ directory, clock }: FileStoreOptions): CertStore {
  return new FileStore(directory, hostSurroundings(clock === undefined ? {} : { clock }));
}

/** The store over whatever surroundings. */
export class FileStore implements CertStore {
  readonly name = "files";
  readonly #path: string;
  readonly #surroundings: Surroundings;
  readonly #directory: PrivateDirectory;
  readonly #locks = new LockQueue();
  #self: Promise<ProcessIdentity> | undefined;

  constructor(path: string, surroundings: Surroundings) {
    this.#path = path;
    this.#surroundings = surroundings;
    this.#directory = new PrivateDirectory({ path, ...surroundings });
  }

  async list(alias: string): Promise<StoredBinding[]> {
    assertAlias(alias);
    const entries = await this.#attempt(() => this.#entries(alias));
    return newestFirst(entries, this.#surroundings.clock.now()).map(({ binding }) => binding);
  }

  async put(alias: string, binding: StoredBinding): Promise<void> {
    assertAlias(alias);
    assertStorable(binding);
    const { notAfter } = parseCertificate(binding.certificate);
    await this.#attempt(async () => {
      const entries = await this.#entries(alias);
      const now = this.#surroundings.clock.now();
      if (!isWorthAdding({ notAfter }, entries, now)) return;
      const name = entryName(alias, binding.certificate);
      await this.#directory.replace(name, encodeEntry(alias, binding));
      await this.#remove(entries.filter((entry) => isExpired(entry, now)));
    });
  }

  async evict(alias: string): Promise<number> {
    assertAlias(alias);
    return await this.#attempt(async () => await this.#remove(await this.#entries(alias)));
  }

  async lock<T>(alias: string, work: () => Promise<T>, options: LockOptions = {}): Promise<T> {
    assertAlias(alias);
    const { clock } = this.#surroundings;
    const { timeout = DEFAULT_LOCK_TIMEOUT, signal } = options;
    const deadline = clock.now() + timeout;
    return await this.#locks.run(alias, async () => {
      const release = await this.#attempt(async () => {
        await this.#directory.prepare();
        const self = await (this.#self ??= this.#surroundings.identify());
        const surroundings = { ...this.#surroundings, directory: this.#directory, self };
        const wait = { deadline, timeout, signal };
        return await acquireFileLock(`${aliasHash(alias)}.lock`, surroundings, wait);
      }, signal);
      let result: T;
      try {
        result = await work();
      } catch (error) {
        await release().catch(() => {});
        throw error;
      }
      await this.#attempt(release);
      return result;
    }, { clock, timeout, signal });
  }

  /** What can be read of this alias; the rest is set aside. */
  async #entries(alias: string): Promise<Entry[]> {
    const rules = { maxSize: MAX_ENTRY_SIZE, forbiddenMode: 0o022 };
    const entries: Entry[] = [];
    for (const name of await this.#directory.names()) {
      if (!isEntryName(name, alias)) continue;
      const content = await this.#directory.read(name, rules);
      if (content.state === "absent") continue;
      const entry = content.state === "read" ? decodeEntry(name, alias, content.bytes) : undefined;
      if (entry === undefined) await this.#directory.setAside(name);
      else entries.push(entry);
    }
    return entries;
  }

  async #remove(entries: readonly Entry[]): Promise<number> {
    let removed = 0;
    for (const { name } of entries) if (await this.#directory.remove(name)) removed++;
    return removed;
  }

  async #attempt<T>(call: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    try {
      return await call();
    } catch (cause) {
      signal?.throwIfAborted();
      if (isKeyboundError(cause)) throw cause;
      throw new KeyboundError(
        "store_unavailable",
        `The certificate store at '${this.#path}' can't be used. ${(cause as Error).message}`,
        { cause, retryable: isTransient(cause) },
      );
    }
  }
}
