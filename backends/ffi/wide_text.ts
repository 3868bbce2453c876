/**
 * Text as Windows has it: UTF-16, little-endian, up to a zero.
 *
 * @module
 */

import type { Bytes } from "../../src/encoding.ts";

/** `text` as a zero-terminated wide string. Lone surrogates stay what they are. */
export function wide(text: string): Bytes {
  const bytes = new Uint8Array(2 * text.length + 2);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    bytes[2 * i] = unit & 0xff;
    bytes[2 * i + 1] = unit >> 8;
  }
  return bytes;
}

/** The text of a wide string at `offset`, up to its zero or the end of the bytes. */
export function fromWide(bytes: Uint8Array, offset: number = 0): string {
  let text = "";
  for (let i = offset; i + 1 < bytes.length; i += 2) {
    const unit = bytes[i]! | bytes[i + 1]! << 8;
    if (unit === 0) break;
    text += String.fromCharCode(unit);
  }
  return text;
}
