/**
 * Assertions that several suites share.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Bytes } from "../../../src/encoding.ts";
import { type ErrorCode, isKeyboundError } from "../../../src/errors.ts";

/** Bytes written as hex, blanks allowed. */
export function bytes(hex: string): Bytes {
  const pairs = hex.replace(/\s+/g, "").match(/../g) ?? [];
  return Uint8Array.from(pairs, (pair) => Number.parseInt(pair, 16));
}

/** Asserts that `work` throws a `KeyboundError` with this code. */
export function assertCode(work: () => unknown, code: ErrorCode, message?: string): void {
  assert.throws(work, (error) => isKeyboundError(error, code), message);
}

/** Asserts that `work` rejects with a `KeyboundError` with this code. */
export async function assertRejectsWith(work: Promise<unknown>, code: ErrorCode): Promise<void> {
  await assert.rejects(work, (error) => isKeyboundError(error, code));
}
