/**
 * SChannel and CryptoAPI for those who use them: functions, structs, and a count of what was taken.
 *
 * @module
 */

import type { Ffi } from "../ffi/mod.ts";
import type { CertificateFunctions, SecurityFunctions } from "./functions.ts";
import { type Structs, structs } from "./structs.ts";

/** What is counted. */
export type NativeObject = "certificate" | "chain" | "context" | "credential" | "engine" | "store";

/** How many native objects are held, by kind; those at 0 are left out. */
export type LiveObjects = Readonly<Partial<Record<NativeObject, number>>>;

/** The functions of Windows. */
export interface SchannelFunctions {
  readonly ffi: Ffi;
  readonly security: SecurityFunctions;
  readonly certificates: CertificateFunctions;
}

/** SChannel as one of those who use it has it. */
export class Schannel implements SchannelFunctions {
  readonly ffi: Ffi;
  readonly security: SecurityFunctions;
  readonly certificates: CertificateFunctions;
  readonly structs: Structs;
  /** Contexts to be freed before the end. */
  readonly contexts: Set<{ free(): void }> = new Set();
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #live = new Map<NativeObject, number>();

  /** Nothing was taken yet. */
  constructor({ ffi, security, certificates }: SchannelFunctions) {
    this.ffi = ffi;
    this.security = security;
    this.certificates = certificates;
    this.structs = structs(ffi.platform);
  }

  /** What is held. */
  get live(): LiveObjects {
    return Object.fromEntries([...this.#live].filter(([, count]) => count !== 0));
  }

  /** Counts an object that was taken (`1`) or freed (`-1`). */
  count(object: NativeObject, change: 1 | -1): void {
    this.#live.set(object, (this.#live.get(object) ?? 0) + change);
  }

  /** `work` that calls on other threads: `close` waits for its end. */
  async during<T>(work: () => Promise<T>): Promise<T> {
    const done = work();
    this.#underWay.add(done);
    try {
      return await done;
    } finally {
      this.#underWay.delete(done);
    }
  }

  /** Frees the contexts that are left, when nothing is under way any more. */
  async close(): Promise<void> {
    while (this.#underWay.size > 0 || this.contexts.size > 0) {
      for (const context of this.contexts) context.free();
      await Promise.allSettled(this.#underWay);
    }
  }

  /** The handle or pointer that lies in `bytes`. */
  pointerIn(bytes: Uint8Array): bigint {
    return this.structs.pointer.decode(bytes).value;
  }

  /** Room for a handle or pointer. */
  newPointer(value: bigint = 0n): Uint8Array {
    return this.structs.pointer.encode({ value });
  }
}
