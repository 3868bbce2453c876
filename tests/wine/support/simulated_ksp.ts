/**
 * The simulated machine that `ncrypt.dll` is in files named `*_simulated_wine.ts`
 * (`tests/wine/simulated_ksp`): what a test does to it.
 *
 * @module
 */

import { loadFfi } from "../../../backends/ffi/mod.ts";
import { bind } from "../../../backends/ffi/function_table.ts";
import { wide } from "../../../backends/ffi/wide_text.ts";
import { processHandles } from "./process_handles.ts";

const FUNCTIONS = {
  SimulatedKspCountKeys: ["u32"],
  SimulatedKspFail: ["i32", "buffer", "u32"],
  SimulatedKspKill: ["i32", "buffer", "u32"],
  SimulatedKspLiveHandles: ["u32"],
  SimulatedKspReboot: ["i32"],
  SimulatedKspReset: ["i32"],
  SimulatedKspSet: ["i32", "buffer", "u32"],
} as const;

type Functions = ReturnType<typeof bind<typeof FUNCTIONS>>;

/** What a machine is like. */
export interface SimulatedHost {
  /** Whether it has VBS. @default false */
  readonly vbs?: boolean;
  /** Its TPM. @default "absent" */
  readonly tpm?: "absent" | "not_ready" | "ready";
  /** Whether its TPM makes PSS signatures. @default true */
  readonly tpmPss?: boolean;
  /** The status by which a key of another boot shows that it is dead. @default 0x80090020 */
  readonly deadStatus?: number;
  /** Where it shows. @default "signature" */
  readonly deadAt?: "opening" | "signature";
}

const TPM = { absent: 0, ready: 1, not_ready: 2 } as const;

/** The machine, which outlives this process and is shared with others. */
export class SimulatedKsp {
  readonly #functions: Functions;
  readonly #processHandles: () => number;

  private constructor(functions: Functions, processHandles: () => number) {
    this.#functions = functions;
    this.#processHandles = processHandles;
  }

  /** The machine, as it is. Throws where ncrypt.dll is another one. */
  static async load(): Promise<SimulatedKsp> {
    const functions = bind((await loadFfi()).open("ncrypt.dll"), FUNCTIONS);
    return new SimulatedKsp(functions, await processHandles());
  }

  /** Makes it a new machine, without keys, like that. */
  reset(host: SimulatedHost = {}): void {
    this.#functions.SimulatedKspReset();
    this.change(host);
  }

  /** Makes it different where something is said. */
  change({ vbs, tpm, tpmPss, deadStatus, deadAt }: SimulatedHost): void {
    this.#set("Vbs", vbs === undefined ? undefined : Number(vbs));
    this.#set("Tpm", tpm === undefined ? undefined : TPM[tpm]);
    this.#set("TpmPss", tpmPss === undefined ? undefined : Number(tpmPss));
    this.#set("DeadStatus", deadStatus);
    this.#set("DeadAt", deadAt === undefined ? undefined : Number(deadAt === "opening"));
  }

  /** Starts it anew: keys that were made for the last boot alone are dead. */
  reboot(): void {
    expect(this.#functions.SimulatedKspReboot(), "reboot");
  }

  /** The keys of this name in CNG are there and give this status when they sign; 0 revives them. */
  kill(container: string, status: number = 0x8009000d): void {
    expect(this.#functions.SimulatedKspKill(wide(container), status), "kill");
  }

  /** A function of ncrypt.dll gives this status instead of working; 0 ends that. */
  fail(name: string, status: number): void {
    expect(this.#functions.SimulatedKspFail(wide(name), status), "fail");
  }

  /** Handles of ncrypt.dll that are open in this process. */
  liveHandles(): number {
    return this.#functions.SimulatedKspLiveHandles();
  }

  /** Keys that are kept. */
  keys(): number {
    return this.#functions.SimulatedKspCountKeys();
  }

  /** How many handles of any kind are open in this process below the first that is free. */
  processHandles(): number {
    return this.#processHandles();
  }

  #set(name: string, value: number | undefined): void {
    if (value !== undefined) expect(this.#functions.SimulatedKspSet(wide(name), value), name);
  }
}

function expect(done: number, what: string): void {
  if (done === 0) throw new Error(`The simulated KSP doesn't do that: ${what}.`);
}
