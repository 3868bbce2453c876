/**
 * The mutexes of `kernel32.dll`, simulated: owned by a thread, recursive, abandoned by its death.
 *
 * @module
 */

import type { Kernel32Functions } from "../../../backends/windows/functions.ts";
import type { OpenMutex, SimulatedMachine } from "./machine.ts";
import { native, wideOf } from "./memory.ts";

/** The functions of one process with one thread. */
export class SimulatedKernel32 {
  readonly #machine: SimulatedMachine;
  readonly #thread: number;
  /** Mutexes that it has open. */
  readonly handles: Map<bigint, OpenMutex> = new Map();
  /** What `GetLastError` gives. */
  lastError = 0;
  #next = 0x100n;

  constructor(machine: SimulatedMachine, thread: number) {
    this.#machine = machine;
    this.#thread = thread;
  }

  readonly functions: Kernel32Functions = {
    GetLastError: native(() => this.lastError),

    CreateMutexW: native((attributes: bigint, initial: number, name: Uint8Array) => {
      const text = wideOf(name);
      if (attributes !== 0n || initial !== 0) throw new Error("Not as it is used here.");
      const fault = this.#machine.faultOf("CreateMutexW");
      const denied = text.startsWith("Global\\") && !this.#machine.options.globalMutexes;
      if (fault !== 0 || denied) {
        this.lastError = fault || 5;
        return 0n;
      }
      const free = { owner: undefined, depth: 0, abandoned: false };
      const mutex = this.#machine.mutexes.get(text) ?? free;
      this.#machine.mutexes.set(text, mutex);
      this.handles.set(this.#next, mutex);
      return this.#next++;
    }),

    WaitForSingleObject: native((handle: bigint, milliseconds: number) => {
      const mutex = this.handles.get(handle);
      if (mutex === undefined || milliseconds !== 0) return 0xffffffff;
      if (mutex.owner !== undefined && mutex.owner !== this.#thread) return 0x102;
      mutex.owner = this.#thread;
      mutex.depth++;
      const { abandoned } = mutex;
      mutex.abandoned = false;
      return abandoned ? 0x80 : 0;
    }),

    ReleaseMutex: native((handle: bigint) => {
      const mutex = this.handles.get(handle);
      if (mutex?.owner !== this.#thread) return 0;
      if (--mutex.depth === 0) mutex.owner = undefined;
      return 1;
    }),

    CloseHandle: native((handle: bigint) => this.handles.delete(handle) ? 1 : 0),
  };

  /** The thread dies: what it owns is free, and said to be abandoned. */
  crash(): void {
    for (const mutex of this.handles.values()) {
      if (mutex.owner !== this.#thread) continue;
      Object.assign(mutex, { owner: undefined, depth: 0, abandoned: true });
    }
    this.handles.clear();
  }
}
