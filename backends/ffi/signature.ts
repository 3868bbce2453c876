/**
 * The types of C functions as data, and what TypeScript makes of them.
 *
 * @module
 */

/**
 * A C type. `long`, `ulong`, `usize` and `address` have the platform's size; an `address` is any
 * pointer or function pointer, a `buffer` the address of JavaScript's own bytes (`null` is NULL).
 */
export type NativeType =
  | "u8"
  | "u16"
  | "i32"
  | "u32"
  | "i64"
  | "u64"
  | "long"
  | "ulong"
  | "usize"
  | "address"
  | "buffer";

/** What a C function may return. */
export type ReturnType = Exclude<NativeType, "buffer"> | "void";

/** The TypeScript side of a C type: numbers up to 32 bits, `bigint` for whatever may have 64. */
export type NativeValue<T extends ReturnType | NativeType> = T extends "void" ? void
  : T extends "u8" | "u16" | "i32" | "u32" ? number
  : T extends "buffer" ? Uint8Array | null
  : bigint;

/** The TypeScript side of a list of parameters. */
export type NativeValues<P extends readonly NativeType[]> = {
  -readonly [I in keyof P]: NativeValue<P[I]>;
};

/** What a C function returns and takes. */
export interface Signature<
  R extends ReturnType = ReturnType,
  P extends readonly NativeType[] = readonly NativeType[],
> {
  readonly returns: R;
  readonly takes: P;
}

/** A C function that can be called from here. */
export interface NativeFunction<S extends Signature> {
  /** Calls it on this thread. */
  (...values: NativeValues<S["takes"]>): NativeValue<S["returns"]>;
  /**
   * Calls it on another thread. Buffers stay where they are until it has returned; nobody may
   * touch them meanwhile.
   */
  threaded(...values: NativeValues<S["takes"]>): Promise<NativeValue<S["returns"]>>;
}

/** A JavaScript function as C calls it; it gets addresses, never buffers. */
export type NativeHandler<S extends Signature> = (
  ...values: NativeValues<S["takes"]>
) => NativeValue<S["returns"]>;

/** The signature of a function that returns `returns` and takes `takes`. */
export function signature<R extends ReturnType, const P extends readonly NativeType[]>(
  returns: R,
  ...takes: P
): Signature<R, P> {
  return { returns, takes };
}

/** Whether values of this type are a `bigint` here. */
export function isWide(type: NativeType | ReturnType): boolean {
  return ["i64", "u64", "long", "ulong", "usize", "address"].includes(type);
}
