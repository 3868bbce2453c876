/**
 * `CERT_CONTEXT` and `CRYPT_DATA_BLOB` of `wincrypt.h`.
 *
 * @module
 */

import type { Bytes } from "../../src/encoding.ts";
import { layout, type Platform } from "../ffi/mod.ts";
import { wide } from "../ffi/wide_text.ts";

/** Bytes at an address. */
export interface Extent {
  readonly address: bigint;
  readonly size: number;
}

const CONTEXT = {
  encoding: "u32",
  encoded: "address",
  size: "u32",
  info: "address",
  store: "address",
} as const;

const BLOB = { size: "u32", data: "address" } as const;

/** Bytes of a `CERT_CONTEXT`. */
export function certContextSize(platform: Platform): number {
  return layout(CONTEXT, platform).size;
}

/** Where the DER is that a `CERT_CONTEXT` points to. */
export function decodeCertContext(bytes: Bytes, platform: Platform): Extent {
  const { encoded, size } = layout(CONTEXT, platform).decode(bytes);
  return { address: encoded, size };
}

/**
 * A `CRYPT_DATA_BLOB` over a wide string, its zero included, that follows it; `at` tells where the
 * bytes it is given lie.
 */
export function encodeTextBlob(
  text: string,
  platform: Platform,
  at: (bytes: Uint8Array) => bigint,
): Bytes {
  const struct = layout(BLOB, platform);
  const content = wide(text);
  const bytes = new Uint8Array(struct.size + content.length);
  bytes.set(content, struct.size);
  bytes.set(struct.encode({ size: content.length, data: at(bytes) + BigInt(struct.size) }));
  return bytes;
}
