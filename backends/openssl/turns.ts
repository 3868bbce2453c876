/**
 * Work that holds up the event loop, one piece a turn of it.
 *
 * @module
 */

import { setImmediate } from "node:timers";

/** Lets the event loop turn between pieces of work that would otherwise follow one another. */
export class Turns {
  readonly #waiting: (() => void)[] = [];
  #taken = false;

  /** What `work` gives: at once, or when those before it have had their turns. */
  run<T>(work: () => T): T | Promise<T> {
    if (this.#taken) return this.#later(work);
    this.#taken = true;
    setImmediate(() => this.#next());
    return work();
  }

  #later<T>(work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => {
        try {
          resolve(work());
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  #next(): void {
    const work = this.#waiting.shift();
    this.#taken = work !== undefined;
    if (work === undefined) return;
    setImmediate(() => this.#next());
    work();
  }
}
