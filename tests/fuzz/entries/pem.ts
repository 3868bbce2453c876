/**
 * PEM, of certificates.
 *
 * @module
 */

import assert from "node:assert/strict";
import { decodePem, encodePem } from "../../../src/x509/pem.ts";
import { readOrRefuse, textOf } from "../support/entry.ts";

/** The blocks that are read are those that their own PEM holds. */
export function fuzz(data: Uint8Array): void {
  const blocks = readOrRefuse(["invalid_pem"], () => decodePem(textOf(data), "CERTIFICATE"));
  if (blocks === undefined) return;
  assert.ok(blocks.length > 0 && blocks.every(({ length }) => length > 0));
  const written = blocks.map((der) => encodePem("CERTIFICATE", der)).join("");
  assert.deepEqual(decodePem(written, "CERTIFICATE"), blocks);
}

/** Edges and what goes wrong between them. */
export const tokens: readonly string[] = [
  "-----BEGIN CERTIFICATE-----\n",
  "-----END CERTIFICATE-----\n",
  "-----BEGIN EC PRIVATE KEY-----",
  "-----",
  "\r\n",
  "=",
  "Proc-Type: 4,ENCRYPTED\n\n",
];
