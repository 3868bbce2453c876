/**
 * The credential to use now.
 *
 * @module
 */

import { ClientCredential } from "../../src/credential.ts";
import { KeyboundError } from "../../src/errors.ts";
import { isInForce } from "../../src/policy/renewal.ts";
import type { CredentialSource } from "../../src/rfc8705/options.ts";

/** Throws `invalid_argument` for what no credential can come from. */
export function assertCredentialSource(source: CredentialSource): void {
  if (typeof source === "function" || source instanceof ClientCredential) return;
  throw new KeyboundError(
    "invalid_argument",
    "'credential' must be a ClientCredential, or a function that gives one.",
  );
}

/**
 * The credential, or what the function gives.
 *
 * Rejects as the function does, with `invalid_argument` where that is no credential, and with
 * `invalid_certificate` for a certificate that isn't in force at `now`, in milliseconds.
 */
export async function currentCredential(
  source: CredentialSource,
  now: number,
): Promise<ClientCredential> {
  const credential = typeof source === "function" ? await source() : source;
  if (!(credential instanceof ClientCredential)) {
    throw new KeyboundError(
      "invalid_argument",
      "The function 'credential' must give a ClientCredential.",
    );
  }
  if (isInForce(credential.leaf, now)) return credential;
  throw new KeyboundError(
    "invalid_certificate",
    "The client's certificate isn't valid at this time. Renew it, or check this host's clock.",
  );
}
