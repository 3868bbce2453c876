/**
 * Certificates in the order in which TLS wants them.
 *
 * @module
 */

import { type Bytes, equalBytes } from "../encoding.ts";
import { KeyboundError } from "../errors.ts";
import { type Certificate, parseCertificate } from "../x509/certificate.ts";

/** More certificates than any chain has. */
const MAX_CERTIFICATES = 64;

/**
 * The chain of the certificate over this key, leaf first, each followed by its issuer as far as
 * these certificates go; the rest is left out. Of several leaves the one that expires last counts.
 *
 * Throws `certificate_key_mismatch` where none is over this key, `invalid_der` for a certificate
 * that doesn't parse, `invalid_credential_material` for more than 64.
 */
export function orderChain(certificates: readonly Bytes[], spki: Bytes): Bytes[] {
  if (certificates.length > MAX_CERTIFICATES) {
    throw new KeyboundError(
      "invalid_credential_material",
      `There are more than ${MAX_CERTIFICATES} certificates. Pass those of one chain.`,
    );
  }
  const left = certificates.map(parseCertificate);
  const [leaf] = left.filter((certificate) => equalBytes(certificate.spki, spki))
    .sort((a, b) => b.notAfter - a.notAfter);
  if (leaf === undefined) {
    throw new KeyboundError(
      "certificate_key_mismatch",
      "None of the certificates was issued for the private key. Pass the pair.",
    );
  }
  const chain: Certificate[] = [];
  for (let next: Certificate | undefined = leaf; next !== undefined; next = issuerOf(next, left)) {
    left.splice(left.indexOf(next), 1);
    chain.push(next);
  }
  return chain.map(({ der }) => der);
}

function issuerOf(
  { issuer, subject }: Certificate,
  others: readonly Certificate[],
): Certificate | undefined {
  if (equalBytes(issuer, subject)) return undefined;
  return others.find((other) => equalBytes(other.subject, issuer));
}
