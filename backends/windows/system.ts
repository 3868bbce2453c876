/**
 * Windows as this backend sees it: functions, memory, and the locks of this thread.
 *
 * @module
 */

import process from "node:process";
import { KeyboundError } from "../../src/errors.ts";
import { LockQueue } from "../../src/lock_queue.ts";
import { type Ffi, loadFfi } from "../ffi/mod.ts";
import { type WindowsFunctions, windowsFunctions } from "./functions.ts";

/** Memory as functions see it. */
export type NativeMemory = Pick<Ffi, "platform" | "addressOf" | "read">;

/** What every part of this backend works on. */
export interface WindowsSystem extends WindowsFunctions {
  readonly memory: NativeMemory;
  /**
   * Locks among all stores of this thread. A mutex of Windows belongs to a thread, which gets it
   * again and again: only among threads and processes does it keep anybody out.
   */
  readonly locks: LockQueue;
}

/** The one system of this thread: its locks have to be shared by all stores. */
let system: Promise<WindowsSystem> | undefined;

/**
 * The system that this process runs on, loaded at the first call.
 *
 * Rejects with `key_provider_unavailable` on any other than Windows and where the runtime lets no
 * native library in, `missing_dependency` without koffi; the next call tries again.
 */
export function windowsSystem(): Promise<WindowsSystem> {
  system ??= load().catch((error) => {
    system = undefined;
    throw error;
  });
  return system;
}

async function load(): Promise<WindowsSystem> {
  if (process.platform !== "win32") {
    throw new KeyboundError(
      "key_provider_unavailable",
      `Keys and certificates of Windows are not there on '${process.platform}'. Use another backend.`,
    );
  }
  const ffi = await loadFfi();
  return { ...windowsFunctions((name) => ffi.open(name)), memory: ffi, locks: new LockQueue() };
}
