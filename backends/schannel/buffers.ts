/**
 * `SecBufferDesc`: the list of buffers by which SSPI takes and gives bytes.
 *
 * @module
 */

import { utf8 } from "../../src/encoding.ts";
import type { Bytes } from "../../src/encoding.ts";
import type { Structs } from "./structs.ts";

/** `SECBUFFER_...` (`sspi.h`). */
export const BUFFER = {
  EMPTY: 0,
  DATA: 1,
  TOKEN: 2,
  EXTRA: 5,
  STREAM_TRAILER: 6,
  STREAM_HEADER: 7,
  ALERT: 17,
  APPLICATION_PROTOCOLS: 18,
} as const;

/** Bits of `BufferType` that aren't the type (`SECBUFFER_ATTRMASK`). */
const TYPE_MASK = 0x0fffffff;

/** A buffer to be handed over: bytes at an address, or none. */
export interface BufferEntry {
  readonly type: number;
  readonly address?: bigint;
  readonly length?: number;
}

/** A buffer as SSPI left it. */
export interface ReturnedBuffer {
  readonly type: number;
  readonly address: bigint;
  readonly length: number;
}

/** A `SecBufferDesc` with its buffers. Whoever made it keeps alive what the addresses point to. */
export interface BufferList {
  /** The `SecBufferDesc`. */
  readonly description: Bytes;
  /** The buffers as they are now. */
  read(): ReturnedBuffer[];
}

/** A list of these buffers. */
export function bufferList(
  { secBuffer, secBufferDesc }: Structs,
  addressOf: (bytes: Uint8Array) => bigint,
  entries: readonly BufferEntry[],
): BufferList {
  const array = secBuffer.encodeAll(
    entries.map(({ type, address = 0n, length = 0 }) => ({
      cbBuffer: length,
      BufferType: type,
      pvBuffer: address,
    })),
  );
  const description = secBufferDesc.encode({
    ulVersion: 0,
    cBuffers: entries.length,
    pBuffers: addressOf(array),
  });
  return {
    description,
    // Holds on to `array`, too.
    read: () =>
      entries.map((_, i) => {
        const { cbBuffer, BufferType, pvBuffer } = secBuffer.decode(array, i * secBuffer.size);
        return { type: (BufferType & TYPE_MASK) >>> 0, address: pvBuffer, length: cbBuffer };
      }),
  };
}

/** Bytes at the end of the input that were not looked at. Only the length is to be relied on. */
export function extraOf(buffers: readonly ReturnedBuffer[]): number {
  return buffers.find(({ type }) => type === BUFFER.EXTRA)?.length ?? 0;
}

/** `SecApplicationNegotiationExt_ALPN`. */
const ALPN = 2;

/**
 * `SEC_APPLICATION_PROTOCOLS` with these names for ALPN (RFC 7301 section 3.1), best first. Throws
 * `RangeError` for a name that isn't 1 to 255 bytes.
 */
export function applicationProtocols(names: readonly string[]): Bytes {
  const list = names.flatMap((name) => {
    const bytes = utf8(name);
    if (bytes.length === 0 || bytes.length > 255) throw new RangeError("Not a protocol's name.");
    return [bytes.length, ...bytes];
  });
  const bytes = new Uint8Array(10 + list.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 6 + list.length, true);
  view.setUint32(4, ALPN, true);
  view.setUint16(8, list.length, true);
  bytes.set(list, 10);
  return bytes;
}
