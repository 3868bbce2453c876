/**
 * Certificates: their fields, names and keys, and the hosts they are for.
 *
 * @module
 */

import assert from "node:assert/strict";
import { isFor } from "../../../backends/schannel/server_name.ts";
import { equalBytes } from "../../../src/encoding.ts";
import { type Certificate, parseCertificate } from "../../../src/x509/certificate.ts";
import { formatName, parseName } from "../../../src/x509/name.ts";
import { publicKeyAlgorithm } from "../../../src/x509/public_key.ts";
import { readOrRefuse } from "../support/entry.ts";

/** A certificate is refused with a code or read: its fields are parts of it, its text is plain. */
export function fuzz(data: Uint8Array): void {
  const der = new Uint8Array(data);
  const certificate = readOrRefuse(["invalid_der"], () => parseCertificate(der));
  for (const host of ["example.test", "10.0.0.1", "::1"]) {
    readOrRefuse(["invalid_der"], () => isFor(new Uint8Array(data), host));
  }
  if (certificate === undefined) return;
  assert.ok(equalBytes(certificate.der, data), "not the bytes it was read from");
  assert.ok(Number.isInteger(certificate.notBefore) && Number.isInteger(certificate.notAfter));
  assertCopied(certificate, der);
  for (const name of [certificate.issuer, certificate.subject]) {
    const parsed = readOrRefuse(["invalid_der"], () => parseName(name));
    if (parsed !== undefined) assert.doesNotMatch(formatName(parsed), /[\p{Cc}\p{Cs}]/u);
  }
  const key = readOrRefuse(
    ["invalid_der", "unsupported_key"],
    () => publicKeyAlgorithm(certificate.spki),
  );
  if (key?.type === "rsa") assert.ok(key.modulusBits > 0 && key.exponent >= 3);
}

/** Ends of hosts, addresses, the OIDs of names. */
export const tokens: readonly string[] = ["\x06\x03U\x1d\x11", "\x82\x0cexample.test", "*.test"];

/** Certificates are read several times over. */
export const cost = 2;

/** Whoever gave the bytes may write over them: the certificate stays what it is. */
function assertCopied({ der, issuer, spki, serialNumber }: Certificate, given: Uint8Array): void {
  const before = [der, issuer, spki, serialNumber].map((bytes) => bytes.slice());
  given.fill(0xff);
  [der, issuer, spki, serialNumber].forEach((bytes, i) => {
    assert.ok(equalBytes(bytes, before[i]!), "a field changes with the input");
  });
}
