/**
 * The modules of this process, and the PINs that were refused in it.
 *
 * This is the one place of the backend with state of its own: PKCS#11 knows one `C_Initialize` and
 * one login a process, whoever asks, and a token locks after a few wrong PINs, whoever gave them.
 * Worker threads have a registry each.
 *
 * @module
 */

import { LockQueue } from "../../src/lock_queue.ts";
import { loadFfi } from "../ffi/mod.ts";
import { Cryptoki } from "./cryptoki.ts";
import { Pkcs11Module } from "./module.ts";
import { RefusedPins } from "./refused_pins.ts";

interface Entry {
  readonly module: Promise<Pkcs11Module>;
  holders: number;
}

const entries = new Map<string, Entry>();

/** Libraries that were loaded. None is ever unloaded: threads that a module started may still run. */
const libraries = new Map<string, Cryptoki>();

/** Modules that are ending; the next start waits, or it would be ended too. */
const endings = new Map<string, Promise<void>>();

/** The PINs that tokens have refused in this process. */
export const refusedPins: RefusedPins = new RefusedPins();

/** Locks of the stores in this process, by module, token and name. */
export const storeLocks: LockQueue = new LockQueue();

/** What comes back of a module when nobody holds it any more. */
export interface HeldModule {
  readonly module: Pkcs11Module;
  /** Gives it back; the last holder ends it. */
  release(): Promise<void>;
}

/**
 * The module at this path, started by the first who asks.
 *
 * Rejects with `missing_dependency` or `key_provider_unavailable`; the next call tries again.
 */
export async function holdModule(path: string): Promise<HeldModule> {
  const entry = entries.get(path) ?? { module: startModule(path), holders: 0 };
  entries.set(path, entry);
  entry.holders++;
  const release = async () => {
    if (--entry.holders > 0) return;
    entries.delete(path);
    const ending = entry.module.then((module) => module.close(), () => {});
    endings.set(path, ending);
    await ending;
    if (endings.get(path) === ending) endings.delete(path);
  };
  try {
    return { module: await entry.module, release: once(release) };
  } catch (error) {
    await release();
    throw error;
  }
}

async function startModule(path: string): Promise<Pkcs11Module> {
  await endings.get(path);
  const cryptoki = libraries.get(path) ?? new Cryptoki(await loadFfi(), path);
  libraries.set(path, cryptoki);
  return await Pkcs11Module.start(cryptoki, path);
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => done ??= work();
}
