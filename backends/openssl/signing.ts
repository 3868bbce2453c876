/**
 * Signatures of a key as the handshake wants them.
 *
 * @module
 */

import type { Bytes } from "../../src/encoding.ts";
import { isKeyboundError, KeyboundError } from "../../src/errors.ts";
import type { SignatureScheme, SigningKey, SyncSigner } from "../../src/keys.ts";
import type { SignNow } from "./provider_keys.ts";

/** Longest signature that is taken, bytes: that of RSA-8192. */
export const MAX_SIGNATURE = 1024;

/** A function that signs at once by this key, with its failures as {@linkcode keyFailure} has them. */
export function signingNow(key: SigningKey & SyncSigner): SignNow {
  return (scheme, data) => {
    assertScheme(key, scheme);
    try {
      return key.signSync(scheme, data);
    } catch (error) {
      throw keyFailure(key, error);
    }
  };
}

/** The signature; rejects as {@linkcode keyFailure} says, and with the signal's reason. */
export async function signature(
  key: SigningKey,
  scheme: SignatureScheme,
  data: Bytes,
  signal: AbortSignal,
): Promise<Bytes> {
  assertScheme(key, scheme);
  let signed: Bytes;
  try {
    signed = await key.sign(scheme, data, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw keyFailure(key, error);
  }
  if (signed instanceof Uint8Array && signed.length <= MAX_SIGNATURE) return signed;
  throw implausible(scheme);
}

/** What a signature that can't be one is reported as; it proves nothing about the key. */
export function implausible(scheme: SignatureScheme): KeyboundError {
  return new KeyboundError(
    "key_provider_unavailable",
    `The key's provider gave no signature of a length that ${scheme} has. Check its device.`,
  );
}

/**
 * What a key failed with: its own error, or `key_provider_unavailable` for one that says nothing
 * about the key.
 */
function keyFailure({ id }: SigningKey, error: unknown): KeyboundError {
  if (isKeyboundError(error)) return error;
  return new KeyboundError(
    "key_provider_unavailable",
    `Key '${id}' could not be asked for a signature. Check its device.`,
    { cause: error, retryable: true },
  );
}

function assertScheme({ id, schemes }: SigningKey, scheme: SignatureScheme): void {
  if (schemes.includes(scheme)) return;
  throw new KeyboundError("unsupported_scheme", `Key '${id}' doesn't sign by ${scheme}.`);
}
