/**
 * koffi's functions in the types of `signature.ts`.
 *
 * @module
 */

import {
  isWide,
  type NativeFunction,
  type NativeType,
  type ReturnType,
  type Signature,
} from "./signature.ts";

/** The package, as it exports itself. */
export type Koffi = typeof import("koffi").default;

const TYPES: Readonly<Record<NativeType | "void", string>> = {
  void: "void",
  u8: "uint8_t",
  u16: "uint16_t",
  i32: "int32_t",
  u32: "uint32_t",
  i64: "int64_t",
  u64: "uint64_t",
  long: "long",
  ulong: "unsigned long",
  usize: "size_t",
  address: "uintptr_t",
  buffer: "void *",
};

/** What koffi calls this type. */
export function koffiType(type: NativeType | ReturnType): string {
  return TYPES[type];
}

/** A function as koffi gives it: numbers where they are exact, `bigint` elsewhere. */
interface Raw {
  (...values: readonly unknown[]): unknown;
  async(...values: readonly unknown[]): void;
}

/** The function with the values that its signature promises. */
export function bindFunction<S extends Signature>(raw: Raw, { returns }: S): NativeFunction<S> {
  const value = isWide(returns)
    ? (result: unknown) => BigInt(result as number | bigint)
    : (result: unknown) => result;
  // A function of koffi is called as it is where nothing is to be converted.
  const call = isWide(returns)
    ? (...values: readonly unknown[]) => BigInt(raw(...values) as number | bigint)
    : (...values: readonly unknown[]) => raw(...values);
  const threaded = (...values: readonly unknown[]) =>
    new Promise((resolve, reject) => {
      raw.async(...values, (error: unknown, result: unknown) => {
        // `values` is named here so that its buffers live until now.
        if (error !== null && error !== undefined && values) reject(error);
        else resolve(value(result));
      });
    });
  return Object.assign(call, { threaded }) as NativeFunction<S>;
}
