/**
 * Client credentials in PEM: certificates and a key, in any order.
 *
 * @module
 */

import assert from "node:assert/strict";
import { equalBytes } from "../../../src/encoding.ts";
import { pemCredential } from "../../../src/entra/pem_credential.ts";
import { encodePem } from "../../../src/x509/pem.ts";
import { issueCertificate } from "../../support/certificates.ts";
import { readOrReject, textOf } from "../support/entry.ts";

/** Made anew each time, so that no key is kept anywhere. */
const { pem, keys } = await issueCertificate();
const pkcs8 = new Uint8Array(await crypto.subtle.exportKey("pkcs8", keys!.privateKey));
const keyPem = encodePem("PRIVATE KEY", pkcs8);

/** A credential that is read has a leaf over its own key, and signs. */
export async function fuzz(data: Uint8Array): Promise<void> {
  const text = textOf(data).replaceAll("<certificate>", pem).replaceAll("<key>", keyPem);
  const credential = await readOrReject([
    "cert_without_private_key",
    "certificate_key_mismatch",
    "invalid_credential_material",
    "invalid_der",
    "invalid_pem",
  ], () => pemCredential(text));
  if (credential === undefined) return;
  const { key, leaf } = credential;
  assert.ok(equalBytes(key.spki, leaf.spki));
  assert.ok((await key.sign(key.schemes[0]!, new Uint8Array(1))).length > 0);
}

/** Blocks, whole and in part. */
export const tokens: readonly string[] = [
  "<certificate>",
  "<key>",
  "-----BEGIN PRIVATE KEY-----\n",
  "-----END PRIVATE KEY-----\n",
  "-----BEGIN RSA PRIVATE KEY-----\n",
  "-----BEGIN CERTIFICATE-----\n",
  "MIG",
];

/** Keys are imported. */
export const cost = 10;
