/**
 * Where a PIN comes from, and how it is handled while it is here.
 *
 * @module
 */

import { constants } from "node:fs";
import { open } from "node:fs/promises";
import process from "node:process";
import { type Bytes, utf8 } from "../../src/encoding.ts";
import { KeyboundError } from "../../src/errors.ts";
import { allocate } from "./structs.ts";

/** Gives the PIN whenever the token wants one: at the first use and after its device was away. */
export interface PinSource {
  (): string | Uint8Array | Promise<string | Uint8Array>;
  /** Whether the bytes it gives are nobody else's: they are zeroed once they were read. */
  readonly givesAway?: boolean;
}

/** Longest PIN, bytes. */
const MAX_PIN = 255;

/** Group and others. */
const OTHERS = 0o077;

/**
 * The PIN in bytes of its own, to be zeroed after use.
 *
 * Rejects with `key_provider_unavailable` where the source fails or gives no PIN.
 */
export async function readPin(source: PinSource): Promise<Bytes> {
  let given: string | Uint8Array;
  try {
    given = await source();
  } catch (cause) {
    if (cause instanceof KeyboundError) throw cause;
    throw unavailable("The PIN could not be had: its source failed.", cause);
  }
  const octets = typeof given === "string" ? utf8(given) : given;
  try {
    if (octets.length === 0 || octets.length > MAX_PIN) {
      throw unavailable(`A PIN has 1 to ${MAX_PIN} bytes; its source gave ${octets.length}.`);
    }
    const pin = allocate(octets.length);
    pin.set(octets);
    return pin;
  } finally {
    if (typeof given === "string" || source.givesAway) octets.fill(0);
  }
}

/**
 * A PIN in a file of ours or root's that nobody else may read, up to the end of its first line.
 *
 * The source rejects with `key_provider_unavailable` for any other file.
 */
export function pinFile(path: string): PinSource {
  const read = async () => {
    const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
    const refused = (reason: string, cause?: unknown) =>
      unavailable(`The PIN file '${path}' ${reason}`, cause);
    const file = await open(path, flags).catch((cause) => {
      throw refused("can't be opened, or is a symbolic link.", cause);
    });
    try {
      const { uid, mode, size, ...status } = await statusOf(file);
      if (!status.isFile) throw refused("is no regular file.");
      const user = process.geteuid?.();
      if (user !== undefined && uid !== user && uid !== 0) throw refused("is another user's.");
      if (user !== undefined && (mode & OTHERS) !== 0) {
        throw refused(`is open to others (mode ${(mode & 0o777).toString(8)}): chmod 600 it.`);
      }
      if (size > MAX_PIN + 2) throw refused("is too large for a PIN.");
      const content = new Uint8Array(MAX_PIN + 2);
      const { bytesRead } = await file.read(content, 0, content.length, 0);
      const end = content.subarray(0, bytesRead).findIndex((octet) => octet === 10 || octet === 13);
      return content.subarray(0, end < 0 ? bytesRead : end);
    } finally {
      await file.close();
    }
  };
  return Object.assign(read, { givesAway: true });
}

async function statusOf(
  file: Awaited<ReturnType<typeof open>>,
): Promise<{ uid: number; mode: number; size: number; isFile: boolean }> {
  const status = await file.stat();
  return { uid: status.uid, mode: status.mode, size: status.size, isFile: status.isFile() };
}

function unavailable(message: string, cause?: unknown): KeyboundError {
  return new KeyboundError("key_provider_unavailable", message, { cause });
}
