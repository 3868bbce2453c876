/**
 * Random numbers that come again with their seed.
 *
 * @module
 */

import { seededNumbers } from "../../support/seeded_numbers.ts";

/** Numbers from one seed. */
export interface Random {
  /** A whole number from 0 up to `limit`, exclusive; 0 where `limit` is below 1. */
  below(limit: number): number;
  /** One of these; there is at least one. */
  pick<T>(choices: readonly T[]): T;
  /** Whether something happens that does so once in `times`. */
  oneIn(times: number): boolean;
}

/** The numbers of this seed, an unsigned number of 32 bits. */
export function randomOf(seed: number): Random {
  const next = seededNumbers(seed);
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    below,
    pick: (choices) => choices[below(choices.length)]!,
    oneIn: (times) => below(times) === 0,
  };
}

/** A seed nobody chose. */
export function freshSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!;
}
