/**
 * Native calls that belong together, to be made on this thread or on others.
 *
 * @module
 */

/** One call of a function, not made yet. */
export interface Call {
  /** Makes it on this thread; what it failed with, if it did. */
  here(): Error | undefined;
  /** Makes it on another thread. */
  elsewhere(): Promise<Error | undefined>;
}

/** Calls that belong together. Run one with {@linkcode runHere} or {@linkcode runElsewhere}. */
export type Operation<T> = Generator<Call, T, void>;

/** Runs an operation on this thread. Throws what a call failed with, unless the operation caught it. */
export function runHere<T>(operation: Operation<T>): T {
  let step = operation.next();
  while (!step.done) step = advance(operation, step.value.here());
  return step.value;
}

/** Runs an operation's calls on other threads. Rejects as {@linkcode runHere} throws. */
export async function runElsewhere<T>(operation: Operation<T>): Promise<T> {
  let step = operation.next();
  while (!step.done) step = advance(operation, await step.value.elsewhere());
  return step.value;
}

function advance<T>(operation: Operation<T>, failure: Error | undefined): IteratorResult<Call, T> {
  return failure === undefined ? operation.next() : operation.throw(failure);
}
