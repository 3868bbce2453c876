/**
 * `pkcs11:` URIs.
 *
 * @module
 */

import assert from "node:assert/strict";
import { formatPkcs11Uri, parsePkcs11Uri } from "../../../backends/pkcs11/uri.ts";
import { readOrRefuse, textOf } from "../support/entry.ts";

/** A URI that is taken says the same once it is written anew; paths are absolute. */
export function fuzz(data: Uint8Array): void {
  const uri = readOrRefuse(["invalid_argument"], () => parsePkcs11Uri(textOf(data)));
  if (uri === undefined) return;
  const { modulePath, pinSource, ...shown } = uri;
  const written = formatPkcs11Uri(shown);
  // Escaped as far as can be, it may get longer than a URI may be.
  if (written.length <= 4096) assert.deepEqual(parsePkcs11Uri(written), shown);
  for (const path of [modulePath, pinSource]) {
    if (path !== undefined) assert.match(path, /^(\/|[A-Za-z]:[\\/])[^\0]*$/);
  }
}

/** Attributes and escapes. */
export const tokens: readonly string[] = [
  "pkcs11:",
  "token=",
  ";object=",
  ";id=%01",
  "?pin-source=file:",
  "&module-path=/",
  "slot-id=",
  "type=private",
  "%",
  "%FF",
  "%00",
];
