/**
 * Calls of NCrypt that belong together, to be made on this thread or on others.
 *
 * @module
 */

import { StatusError } from "./status.ts";

/** One call of a function, not made yet. */
export interface Call {
  /** Its name, such as `NCryptSignHash`. */
  readonly name: string;
  /** Makes it on this thread and gives the status. */
  here(): number;
  /** Makes it on another thread. */
  elsewhere(): Promise<number>;
}

/** Calls that belong together. Run one with {@linkcode runHere} or {@linkcode runElsewhere}. */
export type Operation<T> = Generator<Call, T, void>;

/** Runs an operation on this thread. Throws `StatusError`. */
export function runHere<T>(operation: Operation<T>): T {
  let step = operation.next();
  while (!step.done) {
    const { name, here } = step.value;
    step = advance(operation, name, here());
  }
  return step.value;
}

/** Runs an operation's calls on other threads. Rejects with `StatusError`. */
export async function runElsewhere<T>(operation: Operation<T>): Promise<T> {
  let step = operation.next();
  while (!step.done) {
    const { name, elsewhere } = step.value;
    step = advance(operation, name, await elsewhere());
  }
  return step.value;
}

function advance<T>(
  operation: Operation<T>,
  name: string,
  status: number,
): IteratorResult<Call, T> {
  return status === 0 ? operation.next() : operation.throw(new StatusError(name, status));
}
