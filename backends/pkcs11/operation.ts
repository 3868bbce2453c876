/**
 * Calls of a module that belong together, to be made on this thread or on another.
 *
 * @module
 */

import { CKR } from "./constants.ts";
import { ReturnCodeError } from "./return_codes.ts";

/** One call of a function, not made yet. */
export interface Call {
  /** Its name, such as `C_Sign`. */
  readonly name: string;
  /** Makes it on this thread and gives the return code. */
  here(): bigint;
  /** Makes it on another thread. */
  elsewhere(): Promise<bigint>;
}

/** Calls that belong together. Run one with {@linkcode runHere} or {@linkcode runElsewhere}. */
export type Operation<T> = Generator<Call, T, void>;

/** Runs an operation on this thread. Throws `ReturnCodeError`. */
export function runHere<T>(operation: Operation<T>): T {
  let step = operation.next();
  while (!step.done) {
    const { name, here } = step.value;
    step = advance(operation, name, here());
  }
  return step.value;
}

/** Runs an operation's calls on other threads. Rejects with `ReturnCodeError`. */
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
  returned: bigint,
): IteratorResult<Call, T> {
  const code = Number(returned);
  return code === CKR.OK ? operation.next() : operation.throw(new ReturnCodeError(name, code));
}
