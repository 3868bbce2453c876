/**
 * One piece of work for all who ask for it at the same time.
 *
 * @module
 */

interface Flight<T> {
  readonly result: Promise<T>;
  readonly controller: AbortController;
  waiters: number;
}

/**
 * Runs at most one piece of work a key. Callers who come while it runs share its outcome. Each may
 * leave by its own signal; when the last one has left, the work is aborted.
 */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Flight<T>>();
  #ended: unknown;

  /**
   * The outcome of `work` for this key, started if it isn't under way. Rejects with the signal's
   * reason when `signal` is aborted first.
   */
  async run(
    key: string,
    work: (signal: AbortSignal) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    if (this.#ended !== undefined) throw this.#ended;
    signal?.throwIfAborted();
    const flight = this.#flights.get(key) ?? this.#start(key, work);
    flight.waiters++;
    try {
      return await raceSignal(flight.result, signal);
    } finally {
      flight.waiters--;
      if (flight.waiters === 0) this.#abandon(key, flight);
    }
  }

  #start(key: string, work: (signal: AbortSignal) => Promise<T>): Flight<T> {
    const controller = new AbortController();
    const result = work(controller.signal);
    const flight: Flight<T> = { result, controller, waiters: 0 };
    this.#flights.set(key, flight);
    const forget = () => {
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    };
    result.then(forget, forget);
    return flight;
  }

  #abandon(key: string, flight: Flight<T>): void {
    if (this.#flights.get(key) !== flight) return;
    this.#flights.delete(key);
    flight.controller.abort();
  }

  /** Aborts all work and refuses any more; those who wait or come later get the reason. */
  abortAll(reason: unknown): void {
    this.#ended = reason;
    for (const { controller } of this.#flights.values()) controller.abort(reason);
    this.#flights.clear();
  }
}

/** `promise`, or the signal's reason if that is aborted first. */
export async function raceSignal<T>(promise: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (signal === undefined) return await promise;
  // Nobody else may be listening by the time it fails.
  promise.catch(() => {});
  signal.throwIfAborted();
  let onAbort: () => void;
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort!);
  }
}
