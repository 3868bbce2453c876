/**
 * Memory with addresses for functions that aren't native.
 *
 * @module
 */

import type { NativeMemory } from "../../../backends/windows/system.ts";
import type { Bytes } from "../../../src/encoding.ts";

/** Where the first bytes are: far from 0. */
const START = 0x7ff0_0000_0000n;

/** Buffers get addresses when they are asked for, as native memory has from the start. */
export class SimulatedMemory implements NativeMemory {
  readonly platform = { pointer: 8, long: 4 } as const;
  readonly #bases = new Map<ArrayBufferLike, bigint>();
  #end = START;

  /** The address of these bytes. */
  readonly addressOf = (bytes: Uint8Array): bigint => {
    const base = this.#bases.get(bytes.buffer) ?? this.#end;
    if (base === this.#end) {
      this.#bases.set(bytes.buffer, base);
      this.#end += BigInt(bytes.buffer.byteLength + 64);
    }
    return base + BigInt(bytes.byteOffset);
  };

  /** A copy; throws where no bytes are, which would end a process. */
  readonly read = (address: bigint, length: number): Bytes => this.view(address, length).slice();

  /** The bytes themselves. */
  view(address: bigint, length: number): Bytes {
    for (const [buffer, base] of this.#bases) {
      const offset = Number(address - base);
      if (offset >= 0 && offset < buffer.byteLength) {
        if (offset + length > buffer.byteLength) break;
        return new Uint8Array(buffer as ArrayBuffer, offset, length);
      }
    }
    throw new Error(`Access violation: ${length} bytes at 0x${address.toString(16)}.`);
  }

  /** The wide string at this address. */
  wideText(address: bigint): string {
    let text = "";
    for (let at = address;; at += 2n) {
      const [low, high] = this.view(at, 2);
      const unit = low! | high! << 8;
      if (unit === 0) return text;
      text += String.fromCharCode(unit);
    }
  }

  /** Takes the address of these bytes back. */
  free(bytes: Uint8Array): void {
    this.#bases.delete(bytes.buffer);
  }
}

/** The wide string in these bytes. */
export function wideOf(bytes: Uint8Array | null): string {
  if (bytes === null) throw new Error("A string is NULL.");
  const end = bytes.findIndex((octet, i) => i % 2 === 0 && octet === 0 && bytes[i + 1] === 0);
  if (end < 0) throw new Error("A string doesn't end.");
  return new TextDecoder("utf-16le", { ignoreBOM: true }).decode(bytes.subarray(0, end));
}

/** NULL may be passed for any buffer; a function that doesn't expect it crashes, as native ones do. */
type NativeParameters<P extends readonly unknown[]> = {
  [I in keyof P]: P[I] extends Uint8Array ? Uint8Array | null : P[I];
};

/** A function as koffi would give it. */
export function native<P extends readonly unknown[], R>(
  act: (...values: P) => R,
): ((...values: NativeParameters<P>) => R) & {
  threaded(...values: NativeParameters<P>): Promise<R>;
} {
  const call = (...values: NativeParameters<P>) => act(...values as unknown as P);
  const threaded = async (...values: NativeParameters<P>) => {
    await Promise.resolve();
    return call(...values);
  };
  return Object.assign(call, { threaded });
}
