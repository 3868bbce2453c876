/**
 * Bindings as .NET's library and ours keep them in the store of Windows.
 *
 * @module
 */

import type { Bytes } from "../../../src/encoding.ts";
import type { StoredBinding } from "../../../src/stores.ts";
import { certificateAuthority, issueCertificate } from "../../support/certificates.ts";
import { EPOCH, HOUR } from "../../support/clock.ts";

/** Whose they are. */
export const ALIAS = "system_assigned_managed_identity#att=1";
/** Base URL of their token endpoint. */
export const ENDPOINT = "https://mtlsauth.example/11111111-2222-3333-4444-555555555555";
/** Common name of their certificates. */
export const CLIENT_ID = "3c5a7c2e-1f0b-4f0e-9a53-6f0b9d5f7a11";
/** Who issues certificates to managed identities. */
export const ISSUER = "CN=ManagedIdentitySNIssuer.login.microsoft.com";

/** What a certificate is to be like. */
export interface Issue {
  /** DER SubjectPublicKeyInfo. @default that of a new key */
  readonly spki?: Bytes;
  /** When it expires, in hours after `EPOCH`. @default 48 */
  readonly hours?: number;
  /** @default one with `CLIENT_ID` as its common name */
  readonly subject?: string;
  /** @default `ISSUER` */
  readonly issuer?: string;
}

/** A certificate (DER). */
export async function issue(
  { spki, hours = 48, subject, issuer = ISSUER }: Issue = {},
): Promise<Bytes> {
  const { der } = await issueCertificate({
    issuer: await certificateAuthority(issuer),
    notBefore: EPOCH - 100 * HOUR,
    notAfter: EPOCH + hours * HOUR,
    ...(spki === undefined ? {} : { spki }),
    ...(subject === undefined ? {} : { subject }),
  });
  return der;
}

/** The binding of this certificate (DER). */
export function binding(certificate: Bytes): StoredBinding {
  return { certificate, endpoint: ENDPOINT, clientId: CLIENT_ID };
}
