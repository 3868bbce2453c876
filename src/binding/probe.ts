/**
 * The proof that a key works: a signature over fresh bytes, verified (design: healing rule 1).
 *
 * @module
 */

import type { Clock } from "../clock.ts";
import { withDeadline } from "../deadline.ts";
import { isKeyboundError, KeyboundError } from "../errors.ts";
import type { ProbeEvent } from "../events.ts";
import type { AcquisitionContext } from "../imds/request.ts";
import type { SigningKey } from "../keys.ts";
import { verifySignature } from "../x509/verify.ts";
import type { MintDependencies } from "./context.ts";

/** A key that hasn't answered after this many milliseconds is out of reach, not dead. */
const PROBE_TIMEOUT = 10_000;

/**
 * Whether the key signs now, in the scheme that TLS will prefer.
 *
 * Only a key that says `key_unusable`, or a signature that doesn't verify, is dead. Rejects with
 * `key_provider_unavailable` when the key can't be asked or doesn't answer in 10 s, with
 * `unsupported_key` where this runtime can't verify, and with the signal's reason.
 */
export async function isAlive(
  key: SigningKey,
  trigger: ProbeEvent["trigger"],
  { crypto, clock }: Pick<MintDependencies, "crypto" | "clock">,
  { emit, signal }: AcquisitionContext,
): Promise<boolean> {
  const start = clock.now();
  const alive = await signs(key, crypto, clock, signal);
  const outcome = alive ? "alive" : "dead";
  emit({ type: "probe", trigger, outcome, duration: clock.now() - start });
  return alive;
}

async function signs(
  key: SigningKey,
  crypto: Crypto,
  clock: Clock,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const scheme = key.schemes[0];
  if (scheme === undefined) return false;
  const nonce = crypto.getRandomValues(new Uint8Array(32));
  const work = (signing: AbortSignal) => key.sign(scheme, nonce, { signal: signing });
  try {
    const signature = await signingInTime(work, key, clock, signal);
    return await verifySignature(scheme, key.spki, nonce, signature, crypto);
  } catch (error) {
    signal?.throwIfAborted();
    if (isKeyboundError(error, "key_unusable")) return false;
    // Nothing else says that the key is gone.
    throw error instanceof KeyboundError ? error : unavailable(key, "could not be asked", error);
  }
}

/** Work that is one signature, as long as it may take: `key_provider_unavailable` after 10 s. */
export function signingInTime<T>(
  work: (signal: AbortSignal) => Promise<T>,
  key: SigningKey,
  clock: Clock,
  signal: AbortSignal | undefined,
): Promise<T> {
  const late = unavailable(key, `did not sign within ${PROBE_TIMEOUT} ms`);
  return withDeadline(work, PROBE_TIMEOUT, late, clock, signal);
}

function unavailable({ id }: SigningKey, what: string, cause?: unknown): KeyboundError {
  return new KeyboundError("key_provider_unavailable", `Key '${id}' ${what}. Check its device.`, {
    cause,
    retryable: true,
  });
}
