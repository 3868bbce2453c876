/**
 * PKCS#12 files.
 *
 * @module
 */

import assert from "node:assert/strict";
import { readArchive } from "../../../backends/pkcs12/archive.ts";
import { readOrReject } from "../support/entry.ts";

/** Password of the files in the corpus, which hold no keys. */
const PASSWORD = "public";

/** A file is refused with a code or read, in a bounded time. */
export async function fuzz(data: Uint8Array): Promise<void> {
  const archive = await readOrReject(
    ["invalid_credential_material", "wrong_password"],
    () => readArchive(data, PASSWORD, crypto),
  );
  if (archive === undefined) return;
  for (const der of [...archive.keys, ...archive.certificates]) {
    assert.ok(der instanceof Uint8Array);
  }
}

/** Object identifiers of what may be in such a file. */
export const tokens: readonly string[] = [
  "\x06\x09*\x86H\x86\xf7\x0d\x01\x07\x01",
  "\x06\x0b*\x86H\x86\xf7\x0d\x01\x0c\x0a\x01\x02",
  "\x02\x01\x01",
  "\x02\x03\x0f\x42\x40",
];

/** Keys are derived. */
export const cost = 10;
