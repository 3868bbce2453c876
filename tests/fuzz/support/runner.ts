/**
 * Runs an entry on input after input, and makes what breaks it small.
 *
 * @module
 */

import { base64, type Bytes, utf8 } from "../../../src/encoding.ts";
import type { FuzzEntry } from "./entry.ts";
import { type Material, mutate } from "./mutator.ts";
import { randomOf } from "./random.ts";

/** Milliseconds that no input may take: whoever sends it would stop the process with it. */
export const TOO_LONG = 10_000;

/** Runs that making an input small may take. */
const SHRINKING = 2000;

/** An entry and where its inputs come from. */
export interface Campaign {
  readonly name: string;
  readonly entry: FuzzEntry;
  readonly seeds: readonly Bytes[];
  readonly seed: number;
}

/** What broke an entry. */
export class FuzzFailure extends Error {
  override readonly name = "FuzzFailure";
  readonly #input: Bytes;

  /** For this input, with the error it led to as the cause. */
  constructor({ name, seed }: Campaign, input: Bytes, cause: unknown) {
    const what = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
    super(`${name}, seed ${seed}: ${what}\ninput in base64: ${base64(input)}`, { cause });
    this.#input = input;
  }

  /** The input, made small. */
  get input(): Bytes {
    return this.#input;
  }
}

/** Feeds the entry as long as `goesOn`; says how many inputs it took. Throws a {@linkcode FuzzFailure}. */
export async function runCampaign(
  campaign: Campaign,
  goesOn: (runs: number) => boolean,
): Promise<number> {
  const { entry, seeds, seed } = campaign;
  const material: Material = { seeds, tokens: (entry.tokens ?? []).map(utf8) };
  const random = randomOf(seed);
  let runs = 0;
  for (; goesOn(runs); runs++) {
    const input = mutate(material, random);
    const failure = await failureOf(entry, input);
    if (failure === undefined) continue;
    const small = await shrunk(entry, input);
    throw new FuzzFailure(campaign, small, await failureOf(entry, small) ?? failure);
  }
  return runs;
}

/** What the entry throws at this input, if it does; an error as well where it takes too long. */
export async function failureOf(entry: FuzzEntry, input: Bytes): Promise<unknown> {
  const start = performance.now();
  try {
    // A copy: an entry that writes to its input must not change what is reported.
    const pending = entry.fuzz(input.slice());
    if (pending !== undefined) await pending;
  } catch (error) {
    return error ?? new Error("Nothing was thrown, but thrown it was.");
  }
  const taken = performance.now() - start;
  return taken > TOO_LONG ? new Error(`It took ${Math.round(taken)} ms.`) : undefined;
}

/** A part of the input that still breaks the entry: halves are left out, then quarters, and so on. */
async function shrunk(entry: FuzzEntry, input: Bytes): Promise<Bytes> {
  let small = input;
  let left = SHRINKING;
  for (let size = Math.ceil(small.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let start = 0; start < small.length && left > 0; left--) {
      const shorter = new Uint8Array([
        ...small.subarray(0, start),
        ...small.subarray(start + size),
      ]);
      if (await failureOf(entry, shorter) === undefined) start += size;
      else small = shorter;
    }
  }
  return small;
}
