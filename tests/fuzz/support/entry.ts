/**
 * What a fuzz entry is, and what entries say of a reader that meets bytes it doesn't want.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type ErrorCode, isKeyboundError, KeyboundError } from "../../../src/errors.ts";

/** A reader of bytes from outside, put under test. */
export interface FuzzEntry {
  /** Gives it these bytes; throws only where something that must always hold does not. */
  readonly fuzz: (data: Uint8Array) => void | Promise<void>;
  /** Words that mean something to it, put into inputs as they are. */
  readonly tokens?: readonly string[];
  /** How many times longer than others it takes: so much fewer inputs are tried. @default 1 */
  readonly cost?: number;
}

/**
 * What `read` gives; `undefined` where it refuses with one of these codes. Whatever else it throws
 * is thrown.
 */
export function readOrRefuse<T>(codes: readonly ErrorCode[], read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    return refused(error, codes);
  }
}

/** As {@linkcode readOrRefuse}, of what reads in its own time. */
export async function readOrReject<T>(
  codes: readonly ErrorCode[],
  read: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    return refused(error, codes);
  }
}

function refused(error: unknown, codes: readonly ErrorCode[]): undefined {
  if (!isKeyboundError(error) || !codes.includes(error.code)) throw error;
  assertPlain(error);
}

/** The message of a refusal is bounded, one line, and holds nothing that looks like a token. */
export function assertPlain({ message }: KeyboundError): void {
  assert.ok(message.length > 0 && message.length < 2000, `a message of ${message.length} letters`);
  assert.doesNotMatch(message, /\p{Cc}/u, "a message with control characters");
  assert.doesNotMatch(message, /eyJ[\w-]{16,}\.[\w-]+/, "a message with a token");
}

/** The bytes as text, the way a body is read: malformed UTF-8 shows as U+FFFD. */
export function textOf(data: Uint8Array): string {
  return new TextDecoder().decode(data);
}

/** The bytes as a header's value: one character each. */
export function latin1(data: Uint8Array): string {
  return Array.from(data, (octet) => String.fromCharCode(octet)).join("");
}
