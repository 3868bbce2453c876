/**
 * The authorities that servers are verified against.
 *
 * @module
 */

import type { Bytes } from "../../src/encoding.ts";
import { decodePem } from "../../src/x509/pem.ts";

/** DER of the authorities, one by one; throws `invalid_pem` for a text without certificates. */
export function trustAnchors(ca: string | readonly string[]): Bytes[] {
  return [ca].flat().flatMap((pem) => decodePem(pem, "CERTIFICATE"));
}
