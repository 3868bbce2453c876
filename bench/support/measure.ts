/**
 * Times and what is made of them. Everything that is compared is measured in turns, so that what
 * else the machine does falls on all alike.
 *
 * @module
 */

/** What is measured. */
export type Run = () => unknown;

/** The middle value; the upper one of two. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

/** Milliseconds of each run. */
export async function times(rounds: number, run: Run): Promise<number[]> {
  const taken: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    await run();
    taken.push(performance.now() - start);
  }
  return taken;
}

/**
 * Milliseconds of every run in every round, one run after the other, each after `before`; neither
 * that nor the warm-up is counted.
 */
export async function interleavedTimes(
  rounds: number,
  warmUp: number,
  runs: readonly Run[],
  before: Run = () => {},
): Promise<number[][]> {
  const taken = runs.map((): number[] => []);
  for (let round = 0; round < rounds + warmUp; round++) {
    for (const [i, run] of runs.entries()) {
      await before();
      const [ms] = await times(1, run);
      if (round >= warmUp) taken[i]!.push(ms!);
    }
  }
  return taken;
}

/** The median of each run, in milliseconds; as {@linkcode interleavedTimes}. */
export async function interleaved(
  rounds: number,
  warmUp: number,
  runs: readonly Run[],
  before?: Run,
): Promise<number[]> {
  return (await interleavedTimes(rounds, warmUp, runs, before)).map(median);
}

/** What calls too short for the clock take. */
export interface CallCost {
  /** Median of batches, microseconds a call. */
  readonly p50: number;
  /** Calls a second, all in all. */
  readonly throughput: number;
}

/** One call; `i` counts up, so that calls can differ. */
export type Call = (i: number) => unknown;

/** Milliseconds that each is called for in a round. */
const TURN = 60;
/** Milliseconds that a batch should take at least: far above the clock's own grain. */
const BATCH = 0.5;

/**
 * What each call costs, awaited one after the other, in turns of 60 ms. A clock can't see a call of
 * less than a microsecond, so batches are timed and the p50 is that of their averages.
 */
export async function callCosts(rounds: number, calls: readonly Call[]): Promise<CallCost[]> {
  const meters = calls.map((call) => new CallMeter(call));
  for (const meter of meters) await meter.warmUp();
  for (let round = 0; round < rounds; round++) {
    for (const meter of meters) await meter.turn();
  }
  return meters.map((meter) => meter.cost());
}

class CallMeter {
  readonly #call: Call;
  readonly #batches: number[] = [];
  #size = 1;
  #made = 0;
  #counted = 0;
  #ms = 0;

  constructor(call: Call) {
    this.#call = call;
  }

  /** Finds out how many calls make a batch, which compiles the code on the way. */
  async warmUp(): Promise<void> {
    const end = performance.now() + 2 * TURN;
    do {
      const ms = await this.#batch();
      if (ms < BATCH) this.#size *= 2;
    } while (performance.now() < end);
  }

  async turn(): Promise<void> {
    const end = performance.now() + TURN;
    do {
      const ms = await this.#batch();
      this.#batches.push(ms / this.#size);
      this.#ms += ms;
      this.#counted += this.#size;
    } while (performance.now() < end);
  }

  cost(): CallCost {
    return { p50: 1000 * median(this.#batches), throughput: 1000 * this.#counted / this.#ms };
  }

  async #batch(): Promise<number> {
    const start = performance.now();
    for (let i = 0; i < this.#size; i++) await this.#call(this.#made + i);
    const ms = performance.now() - start;
    this.#made += this.#size;
    return ms;
  }
}
