/**
 * The tables by which a provider tells OpenSSL what it has, and what they point to.
 *
 * @module
 */

import {
  type Ffi,
  type Layout,
  layout,
  type NativeCallback,
  type NativeHandler,
  type Signature,
} from "../ffi/mod.ts";
import { cText } from "./openssl.ts";

const DISPATCH = { id: "i32", function: "address" } as const;
const ALGORITHM = {
  names: "address",
  properties: "address",
  implementation: "address",
  description: "address",
} as const;
const POINTER = { value: "address" } as const;

/** Makes tables and callbacks, and holds on to them for C. */
export class NativeTables {
  readonly #ffi: Ffi;
  readonly #dispatch: Layout<typeof DISPATCH>;
  readonly #algorithm: Layout<typeof ALGORITHM>;
  readonly #pointer: Layout<typeof POINTER>;
  readonly #kept: Uint8Array[] = [];
  readonly #callbacks: NativeCallback[] = [];

  /** Nothing yet. */
  constructor(ffi: Ffi) {
    this.#ffi = ffi;
    this.#dispatch = layout(DISPATCH, ffi.platform);
    this.#algorithm = layout(ALGORITHM, ffi.platform);
    this.#pointer = layout(POINTER, ffi.platform);
  }

  /** An `OSSL_DISPATCH` array: functions by number. */
  dispatch(functions: readonly (readonly [id: number, address: bigint])[]): bigint {
    const entries = functions.map(([id, address]) => ({ id, function: address }));
    return this.keep(this.#dispatch.encodeAll([...entries, {}]));
  }

  /** An `OSSL_ALGORITHM` array: names, properties, dispatch table. */
  algorithms(
    list: readonly (readonly [names: string, properties: string, table: bigint])[],
  ): bigint {
    const entries = list.map(([names, properties, implementation]) => ({
      names: this.text(names),
      properties: this.text(properties),
      implementation,
    }));
    return this.keep(this.#algorithm.encodeAll([...entries, {}]));
  }

  /** A function that C may call. */
  callback<const S extends Signature>(types: S, handler: NativeHandler<S>): bigint {
    const callback = this.#ffi.callback(types, handler);
    this.#callbacks.push(callback);
    return callback.address;
  }

  /** The address of a text. */
  text(text: string): bigint {
    return this.keep(cText(text));
  }

  /** The address of these bytes. */
  keep(bytes: Uint8Array): bigint {
    this.#kept.push(bytes);
    return this.#ffi.addressOf(bytes);
  }

  /** A pointer as it lies in memory. */
  pointer(value: bigint): Uint8Array {
    return this.#pointer.encode({ value });
  }

  /** Gives the callbacks back; C must have forgotten them. */
  free(): void {
    for (const callback of this.#callbacks.splice(0)) callback.close();
    this.#kept.length = 0;
  }
}
