/**
 * A PKCS#11 module that runs: initialized once, and anew when its device was lost.
 *
 * @module
 */

import { KeyboundError } from "../../src/errors.ts";
import { CKR } from "./constants.ts";
import type { Cryptoki } from "./cryptoki.ts";
import { runElsewhere } from "../ffi/operation.ts";
import { InFlight } from "./in_flight.ts";
import { ReturnCodeError, toKeyboundError } from "./return_codes.ts";

/** A module of this process; all who use it share sessions' validity and the login. */
export class Pkcs11Module {
  /** Its functions. */
  readonly cryptoki: Cryptoki;
  /** Its path. */
  readonly path: string;
  /** Whether it was started here, and so is ours to end. */
  #started: boolean;
  #epoch = 1;
  #revision = 1;
  #closed = false;
  readonly #work = new InFlight();
  #restart: Promise<void> | undefined;
  /** The end of the queue of logins. */
  #logins: Promise<unknown> = Promise.resolve();

  private constructor(cryptoki: Cryptoki, path: string, started: boolean) {
    this.cryptoki = cryptoki;
    this.path = path;
    this.#started = started;
  }

  /**
   * Starts the module. Where another library of this process has started it, it is used as it is
   * and never ended from here.
   *
   * Rejects with `key_provider_unavailable`.
   */
  static async start(cryptoki: Cryptoki, path: string): Promise<Pkcs11Module> {
    try {
      return new Pkcs11Module(cryptoki, path, await initialize(cryptoki));
    } catch (error) {
      throw toKeyboundError(error, `The PKCS#11 module '${path}'`);
    }
  }

  /** Grows when every session and handle has become invalid. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Grows when a key's handle may have come to mean another: some modules use numbers again. */
  get revision(): number {
    return this.#revision;
  }

  /** Says that keys were destroyed. */
  touch(): void {
    this.#revision++;
  }

  /** Whether a restart is under way, so that nothing may be called just now. */
  get isRestarting(): boolean {
    return this.#restart !== undefined;
  }

  /** Runs `work`; the epoch stays the same until it settles. */
  async use<T>(work: () => Promise<T>): Promise<T> {
    while (this.#restart !== undefined) await this.#restart.catch(() => {});
    if (this.#closed) throw closed();
    return await this.#work.run(work);
  }

  /** Runs one login at a time. */
  async loginInTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#logins.then(work, work);
    this.#logins = turn.catch(() => {});
    return await turn;
  }

  /**
   * Ends the module and starts it anew when the work under way is done: what makes it reach a
   * device that went and came back, and give back what it holds of a TPM's memory. Does nothing
   * where the epoch isn't `seen` any more. Not to be called from work in `use`.
   */
  async restart(seen: number): Promise<void> {
    if (seen !== this.#epoch || this.#closed) return;
    await (this.#restart ??= this.#startAnew().finally(() => this.#restart = undefined));
  }

  /** Ends the module when the work under way is done. Called by the registry. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#work.idle();
    if (!this.#started) return;
    await runElsewhere(this.cryptoki.finalize()).catch(() => {});
  }

  async #startAnew(): Promise<void> {
    await this.#work.idle();
    this.#epoch++;
    if (this.#started) await runElsewhere(this.cryptoki.finalize()).catch(() => {});
    this.#started = await initialize(this.cryptoki) || this.#started;
  }
}

/** Whether it was started by this call. */
async function initialize(cryptoki: Cryptoki): Promise<boolean> {
  try {
    await runElsewhere(cryptoki.initialize());
    return true;
  } catch (error) {
    const isStarted = error instanceof ReturnCodeError &&
      error.returnCode === CKR.CRYPTOKI_ALREADY_INITIALIZED;
    if (isStarted) return false;
    throw error;
  }
}

function closed(): KeyboundError {
  return new KeyboundError("closed", "This backend was closed. Make a new one.");
}
