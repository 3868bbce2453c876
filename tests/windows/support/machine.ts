/**
 * A simulated machine with Windows: its keys, certificates and mutexes outlive processes.
 *
 * Written from the documentation of the functions and from measurements (`simulated` tier): it shows
 * that the backend does what it means to, not that Windows does what we think.
 *
 * @module
 */

import type { WindowsSystem } from "../../../backends/windows/system.ts";
import { LockQueue } from "../../../src/lock_queue.ts";
import type { Bytes } from "../../../src/encoding.ts";
import { SimulatedCrypt32 } from "./crypt32.ts";
import { SimulatedKernel32 } from "./kernel32.ts";
import type { SimulatedKeyPair } from "./key_pair.ts";
import { SimulatedMemory } from "./memory.ts";
import { SimulatedNcrypt } from "./ncrypt.ts";

/** A key that is kept. */
export interface KeptKey {
  readonly pair: SimulatedKeyPair;
  readonly name: string;
  readonly provider: string;
  readonly algorithm: string;
  readonly flags: number;
  readonly properties: ReadonlyMap<string, number>;
  /** The machine's boot in which it was made. */
  readonly boot: number;
}

/** A certificate that is kept. */
export interface KeptCertificate {
  readonly der: Bytes;
  readonly properties: Map<number, unknown>;
}

/** A mutex that somebody has open. */
export interface OpenMutex {
  owner: number | undefined;
  depth: number;
  abandoned: boolean;
}

/** What a machine is like. */
export interface MachineOptions {
  /** Whether it has VBS. @default true */
  vbs?: boolean;
  /** Its TPM. @default "ready" */
  tpm?: "absent" | "not_ready" | "ready";
  /** Whether its TPM makes PSS signatures with the salt of TLS. @default true */
  tpmPss?: boolean;
  /** Whether this user may make mutexes in `Global\`. @default true */
  globalMutexes?: boolean;
}

/** A process on the machine. */
export interface SimulatedProcess {
  readonly system: WindowsSystem;
  /** Handles of keys, key storage providers, stores, contexts and mutexes that are open. */
  handles(): number;
  /** Ends it, whatever it holds. */
  crash(): void;
}

/** The machine. */
export class SimulatedMachine {
  readonly options: Required<MachineOptions>;
  /** By scope, provider and lower-case name. */
  readonly keys: Map<string, KeptKey> = new Map();
  /** By `user` or `machine`. */
  readonly certificates: Record<string, KeptCertificate[]> = { user: [], machine: [] };
  readonly mutexes: Map<string, OpenMutex> = new Map();
  /** Statuses that functions give instead of working, by name. */
  readonly faults: Map<string, number> = new Map();
  /** Calls of functions that were made, by name. */
  readonly calls: string[] = [];
  /** Status of a signature by a key of another boot. */
  deadStatus = 0x80090020;
  boot = 1;
  #processes = 0;

  /** A machine like that. */
  constructor(options: MachineOptions = {}) {
    const defaults = { vbs: true, tpm: "ready", tpmPss: true, globalMutexes: true } as const;
    this.options = { ...defaults, ...options };
  }

  /** A new process. */
  process(): SimulatedProcess {
    const id = ++this.#processes;
    const memory = new SimulatedMemory();
    const kernel32 = new SimulatedKernel32(this, id);
    const crypt32 = new SimulatedCrypt32(this, memory, kernel32);
    const ncrypt = new SimulatedNcrypt(this, memory);
    const system = {
      memory,
      ncrypt: ncrypt.functions,
      crypt32: crypt32.functions,
      kernel32: kernel32.functions,
      locks: new LockQueue(),
    };
    return {
      system,
      handles: () => ncrypt.handles.size + crypt32.handles + kernel32.handles.size,
      crash: () => kernel32.crash(),
    };
  }

  /** Starts the machine anew: keys of the last boot are there still and sign no more. */
  reboot(): void {
    this.boot++;
  }

  /** The status that a function is to give instead of working. */
  faultOf(name: string): number {
    this.calls.push(name);
    return (this.faults.get(name) ?? 0) | 0;
  }
}
