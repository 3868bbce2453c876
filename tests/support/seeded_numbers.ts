/**
 * Randomness that a seed replays: the same numbers in every run, on every runtime.
 *
 * @module
 */

/**
 * Numbers in [0, 1) from a seed (the mulberry32 generator); whole numbers from 0 up to 2^32 differ.
 */
export function seededNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let bits = Math.imul(state ^ (state >>> 15), state | 1);
    bits ^= bits + Math.imul(bits ^ (bits >>> 7), bits | 61);
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}
