/**
 * Randomness that a seed replays.
 *
 * @module
 */

import process from "node:process";
import { seededNumbers } from "../../support/seeded_numbers.ts";

/** Choices that follow from a seed and from nothing else. */
export interface Random {
  /** A number in [0, 1). */
  next(): number;
  /** An integer from `least` to `most`, both included. */
  between(least: number, most: number): number;
  /** True with this probability. */
  chance(probability: number): boolean;
  /** One of these. */
  pick<T>(values: readonly T[]): T;
}

/** The choices of a seed. */
export function seededRandom(seed: number): Random {
  const next = seededNumbers(seed);
  const between = (least: number, most: number) => least + Math.floor(next() * (most - least + 1));
  return {
    next,
    between,
    chance: (probability) => next() < probability,
    pick: (values) => values[between(0, values.length - 1)]!,
  };
}

/** The seed of this run: that of `KEYBOUND_SEED`, so that a failure can be replayed, or any. */
export function seedOfRun(): number {
  const given = process.env.KEYBOUND_SEED;
  if (given === undefined || given === "") return Math.floor(Math.random() * 2 ** 32);
  if (/^\d{1,10}$/.test(given) && Number(given) < 2 ** 32) return Number(given);
  throw new TypeError("KEYBOUND_SEED must be a whole number below 2^32.");
}
