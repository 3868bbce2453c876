/**
 * Several pieces of work at a time, but not too many.
 *
 * @module
 */

/**
 * Does `work` for every item in order, at most `concurrency` at a time.
 *
 * @template T, R
 * @param {readonly T[]} items
 * @param {number} concurrency
 * @param {(item: T) => Promise<R>} work
 * @returns {Promise<R[]>} the results in the order of the items
 */
export async function pool(items, concurrency, work) {
  /** @type {R[]} */
  const results = new Array(items.length);
  const queue = items.entries();
  const workers = Array.from({ length: Math.min(concurrency, items.length) }, async () => {
    // An iterator is shared: each worker takes what is next.
    for (const [index, item] of queue) results[index] = await work(item);
  });
  await Promise.all(workers);
  return results;
}
