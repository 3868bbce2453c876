/**
 * Certificate thumbprints.
 *
 * @module
 */

import { base64url, type Bytes } from "../encoding.ts";

/** `x5t#S256`: base64url of the SHA-256 of a certificate's DER (RFC 7515 section 4.1.8). */
export async function thumbprintS256(
  der: Bytes,
  crypto: Crypto = globalThis.crypto,
): Promise<string> {
  return base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", der)));
}
