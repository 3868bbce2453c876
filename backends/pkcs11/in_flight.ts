/**
 * How much work is under way, for who has to wait for its end.
 *
 * @module
 */

/** Counts work. */
export class InFlight {
  #count = 0;
  #waiting: (() => void)[] = [];

  /** Runs `work`. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    this.#count++;
    try {
      return await work();
    } finally {
      if (--this.#count === 0) { for (const resolve of this.#waiting.splice(0)) resolve(); }
    }
  }

  /** Resolves when none is under way. */
  idle(): Promise<void> {
    if (this.#count === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
