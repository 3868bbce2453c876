/**
 * Sessions for signatures in parallel: one operation a session, so many sessions and no more.
 *
 * @module
 */

import { CKR } from "./constants.ts";
import type { Cryptoki, Handle } from "./cryptoki.ts";
import { runElsewhere } from "../ffi/operation.ts";
import { ReturnCodeError } from "./return_codes.ts";

/** Read-only sessions with one token. A session in which something failed isn't used again. */
export class SessionPool {
  readonly #cryptoki: Cryptoki;
  readonly #slot: bigint;
  readonly #limit: number;
  readonly #idle: Handle[] = [];
  readonly #waiting: (() => void)[] = [];
  #open = 0;
  #retired = false;

  /** Up to `limit` sessions with the token in `slot`. */
  constructor(cryptoki: Cryptoki, slot: bigint, limit: number) {
    this.#cryptoki = cryptoki;
    this.#slot = slot;
    this.#limit = limit;
  }

  /** Runs `work` with a session that nobody else uses meanwhile. */
  async run<T>(work: (session: Handle) => Promise<T>): Promise<T> {
    const session = await this.#take();
    let result: T;
    try {
      result = await work(session);
    } catch (error) {
      await this.#close(session);
      throw error;
    }
    if (this.#retired) await this.#close(session);
    else this.#idle.push(session);
    this.#next();
    return result;
  }

  /** Closes the sessions that nobody uses, and the others when they come back. */
  async retire(): Promise<void> {
    this.#retired = true;
    for (const session of this.#idle.splice(0)) await this.#close(session);
  }

  async #take(): Promise<Handle> {
    while (true) {
      const idle = this.#idle.pop();
      if (idle !== undefined) return idle;
      if (this.#open < this.#limit) {
        const session = await this.#openOne();
        if (session !== undefined) return session;
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** `undefined` where the token has no more of them to give, but has given us some. */
  async #openOne(): Promise<Handle | undefined> {
    this.#open++;
    try {
      return await runElsewhere(this.#cryptoki.openSession(this.#slot, false));
    } catch (error) {
      this.#open--;
      const isFull = error instanceof ReturnCodeError && error.returnCode === CKR.SESSION_COUNT;
      if (isFull && this.#open > this.#idle.length) return undefined;
      this.#next();
      throw error;
    }
  }

  async #close(session: Handle): Promise<void> {
    await runElsewhere(this.#cryptoki.closeSession(session)).catch(() => {});
    this.#open--;
    this.#next();
  }

  #next(): void {
    this.#waiting.shift()?.();
  }
}
