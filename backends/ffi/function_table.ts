/**
 * The functions of a library as a table of their types.
 *
 * @module
 */

import type { NativeLibrary } from "./mod.ts";
import type { NativeFunction, NativeType, ReturnType, Signature } from "./signature.ts";

/** What a function returns, and what it takes. */
export type FunctionTypes = readonly [ReturnType, ...NativeType[]];

/** Functions by name, with these types. */
export type FunctionTable<S extends Readonly<Record<string, FunctionTypes>>> = {
  readonly [N in keyof S]: NativeFunction<SignatureOf<S[N]>>;
};

type SignatureOf<T extends FunctionTypes> = T extends
  readonly [infer R extends ReturnType, ...infer P extends readonly NativeType[]] ? Signature<R, P>
  : never;

/** The functions of one library. Throws `key_provider_unavailable` where it lacks one. */
export function bind<const S extends Readonly<Record<string, FunctionTypes>>>(
  library: NativeLibrary,
  signatures: S,
): FunctionTable<S> {
  const bound = Object.entries(signatures).map(([name, [returns, ...takes]]) => [
    name,
    library.function(name, { returns, takes }),
  ]);
  return Object.fromEntries(bound) as FunctionTable<S>;
}
