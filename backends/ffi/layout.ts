/**
 * C structs as data: where each field is, and how it is read and written.
 *
 * @module
 */

import type { Bytes } from "../../src/encoding.ts";

/** The type of a field; `address`, `long`, `ulong` and `usize` depend on the platform. */
export type FieldType =
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
  | ByteField;

/** A field of this many bytes. */
export interface ByteField {
  readonly bytes: number;
}

/** The value of a field. */
export type FieldValue<T extends FieldType> = T extends ByteField ? Uint8Array
  : T extends "u8" | "u16" | "i32" | "u32" ? number
  : bigint;

/** Sizes that differ between platforms. Byte order is little-endian on all that are supported. */
export interface Platform {
  /** Bytes of a pointer and of `size_t`. */
  readonly pointer: 4 | 8;
  /** Bytes of `long`: 4 on Windows, the pointer's elsewhere. */
  readonly long: 4 | 8;
}

/** Options of {@linkcode layout}. */
export interface LayoutOptions {
  /**
   * Largest alignment of a field, bytes: 1 for a packed struct, as `#pragma pack(1)` makes it.
   * @default 8
   */
  readonly pack?: 1 | 2 | 4 | 8;
}

/** Fields in their order in memory. */
export type Fields = Readonly<Record<string, FieldType>>;

/** The values of a struct's fields. */
export type StructValue<F extends Fields> = { -readonly [N in keyof F]: FieldValue<F[N]> };

/** A struct of C. */
export interface Layout<F extends Fields> {
  /** Bytes of one, padding included. */
  readonly size: number;
  /** Bytes from the start of the struct to each field. */
  readonly offsets: Readonly<Record<keyof F, number>>;
  /** Bytes of each field. */
  readonly sizes: Readonly<Record<keyof F, number>>;
  /** A struct with these fields; those left out are zero. */
  encode(value: Partial<StructValue<F>>): Bytes;
  /** The structs one after the other, as an array of C. */
  encodeAll(values: readonly Partial<StructValue<F>>[]): Bytes;
  /** The fields of the struct at `offset`; throws `RangeError` where there aren't so many bytes. */
  decode(bytes: Uint8Array, offset?: number): StructValue<F>;
}

/** Where the fields of a struct lie on this platform. */
export function layout<const F extends Fields>(
  fields: F,
  platform: Platform,
  { pack = 8 }: LayoutOptions = {},
): Layout<F> {
  const offsets: Record<string, number> = {};
  const sizes: Record<string, number> = {};
  let end = 0;
  let widest = 1;
  for (const [name, type] of Object.entries(fields)) {
    const size = fieldSize(type, platform);
    const alignment = Math.min(typeof type === "object" ? 1 : size, pack);
    offsets[name] = align(end, alignment);
    sizes[name] = size;
    end = offsets[name] + size;
    widest = Math.max(widest, alignment);
  }
  const size = align(end, widest);
  const write = (target: Uint8Array, start: number, value: Partial<StructValue<F>>) => {
    for (const [name, field] of Object.entries(value)) {
      if (field !== undefined) writeField(target, start + offsets[name]!, sizes[name]!, field);
    }
  };
  return {
    size,
    offsets: offsets as Record<keyof F, number>,
    sizes: sizes as Record<keyof F, number>,
    encode(value) {
      const bytes = new Uint8Array(size);
      write(bytes, 0, value);
      return bytes;
    },
    encodeAll(values) {
      const bytes = new Uint8Array(size * values.length);
      values.forEach((value, i) => write(bytes, i * size, value));
      return bytes;
    },
    decode(bytes, offset = 0) {
      if (offset < 0 || offset + size > bytes.length) {
        throw new RangeError(`A struct of ${size} bytes doesn't fit at ${offset}.`);
      }
      const entries = Object.entries(fields).map(([name, type]) => [
        name,
        readField(bytes, offset + offsets[name]!, sizes[name]!, type),
      ]);
      return Object.fromEntries(entries) as StructValue<F>;
    },
  };
}

/** Bytes of a field of this type. */
export function fieldSize(type: FieldType, platform: Platform): number {
  if (typeof type === "object") return type.bytes;
  switch (type) {
    case "u8":
      return 1;
    case "u16":
      return 2;
    case "i32":
    case "u32":
      return 4;
    case "i64":
    case "u64":
      return 8;
    case "long":
    case "ulong":
      return platform.long;
    case "usize":
    case "address":
      return platform.pointer;
  }
}

function align(offset: number, alignment: number): number {
  return Math.ceil(offset / alignment) * alignment;
}

/** Little-endian, two's complement: the same bytes for signed and unsigned. */
function writeField(
  target: Uint8Array,
  at: number,
  size: number,
  value: number | bigint | Uint8Array,
): void {
  if (value instanceof Uint8Array) {
    if (value.length > size) {
      throw new RangeError(`${value.length} bytes don't fit in a field of ${size}.`);
    }
    target.set(value, at);
    return;
  }
  const bits = BigInt(value);
  const limit = 1n << BigInt(8 * size);
  if (bits >= limit || bits < -limit / 2n) {
    throw new RangeError(`The number doesn't fit in a field of ${size} bytes.`);
  }
  for (let i = 0; i < size; i++) target[at + i] = Number((bits >> BigInt(8 * i)) & 0xffn);
}

function readField(
  bytes: Uint8Array,
  at: number,
  size: number,
  type: FieldType,
): number | bigint | Uint8Array {
  if (typeof type === "object") return bytes.slice(at, at + size);
  let bits = 0n;
  for (let i = size - 1; i >= 0; i--) bits = bits << 8n | BigInt(bytes[at + i]!);
  if (type === "i32" || type === "i64" || type === "long") bits = BigInt.asIntN(8 * size, bits);
  return ["u8", "u16", "i32", "u32"].includes(type) ? Number(bits) : bits;
}
