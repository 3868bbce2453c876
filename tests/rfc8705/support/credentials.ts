/**
 * Client credentials for both ways of authentication by certificate (RFC 8705 section 2).
 *
 * @module
 */

import { webcryptoKeys } from "../../../backends/webcrypto/mod.ts";
import { ClientCredential } from "../../../src/credential.ts";
import { base64 } from "../../../src/encoding.ts";
import { issueCertificate, newKeys } from "../../support/certificates.ts";

/** A credential and what a server registers of it. */
export interface SelfSigned {
  readonly credential: ClientCredential;
  /** Public key with its certificate in `x5c` (RFC 7517 section 4.7). */
  readonly jwk: JsonWebKey & { readonly x5c: string[] };
}

/** A new key with a certificate that it signed itself. */
export async function selfSigned(validity: { notAfter?: number; notBefore?: number } = {}): Promise<
  SelfSigned
> {
  const keys = await newKeys();
  const { der } = await issueCertificate({ subject: "CN=self-signed", keys, ...validity });
  const pkcs8 = new Uint8Array(await crypto.subtle.exportKey("pkcs8", keys.privateKey));
  const storage = { read: () => Promise.resolve(pkcs8), write: refuse, remove: refuse };
  const key = await webcryptoKeys({ storage }).open("self-signed");
  const { kty, crv, x, y } = await crypto.subtle.exportKey("jwk", keys.publicKey);
  return {
    credential: await ClientCredential.create([der], key!),
    jwk: { kty, crv, x, y, x5c: [base64(der)] } as SelfSigned["jwk"],
  };
}

function refuse(): Promise<never> {
  return Promise.reject(new Error("This key is for reading."));
}
