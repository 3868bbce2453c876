/**
 * Bindings as stores keep them: the file store's entries, the data objects of a PKCS#11 token, the
 * certificates of a Windows store; and the lock's token.
 *
 * @module
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { decodeEntry, encodeEntry, entryName } from "../../../backends/files/entry.ts";
import { ownerOf, tokenOf } from "../../../backends/files/lock_owner.ts";
import { readEntry as readObject } from "../../../backends/pkcs11/store_entry.ts";
import { readEntry as readCertificate } from "../../../backends/windows/store_entry.ts";
import { hex, utf8 } from "../../../src/encoding.ts";
import { assertStorable } from "../../../src/store_rules.ts";
import type { StoredBinding } from "../../../src/stores.ts";
import { textOf } from "../support/entry.ts";

/** The alias of the entries in the corpus. */
const ALIAS = "system_assigned_managed_identity#att=0";

const FRIENDLY_NAME = `MSAL|alias=${ALIAS}|ep=https://mtls.example.test/tenant`;

/** What is taken from a store is a binding that could be put there. */
export function fuzz(data: Uint8Array): void {
  const text = textOf(data);
  // The names and hashes that an entry is known by are made to fit: they keep all else out.
  const certificate = certificateIn(text);
  const digest = hex(new Uint8Array(createHash("sha256").update(certificate).digest()));
  const entry = decodeEntry(entryName(ALIAS, certificate), ALIAS, new Uint8Array(data));
  const object = readObject(ALIAS, utf8(text.replaceAll("<sha256>", digest)), [certificate]);
  const kept = readCertificate({
    der: new Uint8Array(data),
    friendlyName: FRIENDLY_NAME,
    keyContainer: undefined,
  }, ALIAS);
  for (const read of [entry, object, kept]) if (read !== undefined) assertGood(read);
  if (entry !== undefined) {
    assert.deepEqual(decodeEntry(entry.name, ALIAS, encodeEntry(ALIAS, entry.binding)), entry);
  }
  const owner = ownerOf(text);
  if (owner !== undefined) assert.deepEqual(ownerOf(tokenOf(owner)), owner);
}

/** Fields of the entries. */
export const tokens: readonly string[] = [
  '"alias":',
  '"endpoint":"https://',
  '"clientId":"',
  '"certificate":"',
  '"version":1,',
  "<sha256>",
  "http://",
  "__proto__",
  "held.",
];

function assertGood({ binding, notAfter }: { binding: StoredBinding; notAfter: number }): void {
  assertStorable(binding);
  assert.ok(Number.isInteger(notAfter));
}

/** The bytes of the certificate field, as far as there is one. */
function certificateIn(text: string): Uint8Array<ArrayBuffer> {
  const [, encoded = ""] = /"certificate":"([A-Za-z0-9+/=]*)"/.exec(text) ?? [];
  return new Uint8Array(Buffer.from(encoded, "base64"));
}
