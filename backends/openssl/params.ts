/**
 * OSSL_PARAM arrays (OSSL_PARAM(3)): how OpenSSL and its providers pass named values.
 *
 * @module
 */

import { utf8 } from "../../src/encoding.ts";
import { type Ffi, type Layout, layout } from "../ffi/mod.ts";

/** Types of a parameter, by their number in `openssl/core.h`. */
export const PARAM = { integer: 1, unsignedInteger: 2, text: 4, octets: 5 } as const;

/** A parameter to hand over: its name, its type and, unless it only says what there is, its data. */
export type Param = readonly [name: string, type: number, data?: Uint8Array];

/** A parameter that was handed over. */
export interface ReceivedParam {
  readonly name: string;
  readonly type: number;
  /** Where its data is; 0 where only the size is asked for. */
  readonly data: bigint;
  /** Bytes at `data`. */
  readonly size: number;
  /** Where the parameter itself is. */
  readonly address: bigint;
}

/** Most parameters read from one array: OpenSSL never passes so many. */
const MAX_PARAMS = 64;

const FIELDS = {
  key: "address",
  type: "u32",
  data: "address",
  size: "usize",
  returnSize: "usize",
} as const;

/** Reads and writes arrays of parameters. */
export class Params {
  readonly #ffi: Ffi;
  readonly #layout: Layout<typeof FIELDS>;
  readonly #sizeLayout: Layout<{ readonly size: "usize" }>;

  /** For the platform of `ffi`. */
  constructor(ffi: Ffi) {
    this.#ffi = ffi;
    this.#layout = layout(FIELDS, ffi.platform);
    this.#sizeLayout = layout({ size: "usize" }, ffi.platform);
  }

  /** An array, ended as C wants it. Its bytes and those in `kept` must be held while it is in use. */
  array(params: readonly Param[], kept: Uint8Array[]): Uint8Array {
    const hold = (bytes: Uint8Array) => {
      kept.push(bytes);
      return this.#ffi.addressOf(bytes);
    };
    const unmodified = BigInt.asUintN(8 * this.#ffi.platform.pointer, -1n);
    const entries = params.map(([name, type, data]) => ({
      key: hold(utf8(`${name}\0`)),
      type,
      data: data === undefined ? 0n : hold(data),
      size: BigInt(data?.length ?? 0),
      returnSize: unmodified,
    }));
    const bytes = this.#layout.encodeAll([...entries, {}]);
    kept.push(bytes);
    return bytes;
  }

  /** The array at this address; none at 0. */
  read(address: bigint): ReceivedParam[] {
    const received: ReceivedParam[] = [];
    const step = BigInt(this.#layout.size);
    if (address === 0n) return received;
    for (let at = address; received.length < MAX_PARAMS; at += step) {
      const { key, type, data, size } = this.#layout.decode(
        this.#ffi.read(at, this.#layout.size),
      );
      if (key === 0n) break;
      const name = this.#ffi.readText(key, 64);
      received.push({ name, type, data, size: Number(size), address: at });
    }
    return received;
  }

  /** The data as it is. */
  bytes({ data, size }: ReceivedParam): Uint8Array {
    return data === 0n ? new Uint8Array(0) : this.#ffi.read(data, size);
  }

  /** An integer of 4 or 8 bytes. */
  integer(param: ReceivedParam): number {
    let value = 0n;
    this.bytes(param).forEach((byte, i) => value |= BigInt(byte) << BigInt(8 * i));
    return Number(BigInt.asIntN(8 * Math.max(param.size, 1), value));
  }

  /** A text, up to its zero byte if it has one. */
  text(param: ReceivedParam): string {
    const bytes = this.bytes(param);
    const end = bytes.indexOf(0);
    return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
  }

  /** Answers with an integer. */
  setInteger(param: ReceivedParam, value: number): void {
    const { data, size } = param;
    const bytes = new Uint8Array(size);
    for (let i = 0; i < size; i++) bytes[i] = Number((BigInt(value) >> BigInt(8 * i)) & 0xffn);
    if (data !== 0n) this.#ffi.write(data, bytes);
    this.#setReturnSize(param, size);
  }

  /** Answers with a text, where there is room for it; says its length in any case. */
  setText(param: ReceivedParam, text: string): boolean {
    const bytes = utf8(text);
    this.#setReturnSize(param, bytes.length);
    if (param.data === 0n) return true;
    if (bytes.length >= param.size) return false;
    this.#ffi.write(param.data, utf8(`${text}\0`));
    return true;
  }

  #setReturnSize({ address }: ReceivedParam, size: number): void {
    const offset = BigInt(this.#layout.offsets.returnSize);
    this.#ffi.write(address + offset, this.#sizeLayout.encode({ size: BigInt(size) }));
  }
}
