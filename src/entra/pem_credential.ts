/**
 * Client credentials from what people have: PEM text, or a key of a backend and its certificates.
 *
 * @module
 */

import { ClientCredential } from "../credential.ts";
import type { Bytes } from "../encoding.ts";
import { KeyboundError } from "../errors.ts";
import type { SigningKey } from "../keys.ts";
import { orderChain } from "../software_key/chain.ts";
import { softwareCredential } from "../software_key/credential.ts";
import { decodePem } from "../x509/pem.ts";

/** Options of {@linkcode pemCredential}. */
export interface PemCredentialOptions {
  /** PEM of the private key (PKCS#8). @default the same text as the certificates */
  privateKey?: string;
  /** The implementation that signs. @default globalThis.crypto */
  crypto?: Crypto;
}

/**
 * The credential in a PEM text: certificates in any order, and an unencrypted PKCS#8 key
 * (`PRIVATE KEY`) that may stand in a text of its own. The key stays in this process's memory.
 *
 * Rejects with `cert_without_private_key` where there is no key, `invalid_credential_material` for
 * several, or one in another form or of another kind than RSA from 2048 bits on and P-256,
 * `certificate_key_mismatch` where no certificate is over the key, `invalid_pem` and `invalid_der`.
 *
 * @example
 * ```ts
 * const credential = await pemCredential(await readFile("client.pem", "utf8"));
 * ```
 */
export async function pemCredential(
  certificates: string,
  options: PemCredentialOptions = {},
): Promise<ClientCredential> {
  const { privateKey = certificates, crypto = globalThis.crypto } = options;
  const chain = decodePem(certificates, "CERTIFICATE");
  return await softwareCredential(onlyKey(privateKey), chain, "pem", crypto);
}

/**
 * The credential of a key that any backend holds (PKCS#11, TPM, WebCrypto) and the certificates
 * issued for it, PEM or DER, in any order.
 *
 * Rejects with `certificate_key_mismatch` where no certificate is over the key, `invalid_pem` and
 * `invalid_der`.
 *
 * @example
 * ```ts
 * const key = await keys.open("signing");
 * const credential = await certificateCredential(await readFile("client.crt", "utf8"), key);
 * ```
 */
export async function certificateCredential(
  certificates: string | readonly Bytes[],
  key: SigningKey,
  crypto: Crypto = globalThis.crypto,
): Promise<ClientCredential> {
  const given = typeof certificates === "string"
    ? decodePem(certificates, "CERTIFICATE")
    : certificates;
  return await ClientCredential.create(orderChain(given, key.spki), key, crypto);
}

function onlyKey(pem: string): Bytes {
  if (/-----BEGIN PRIVATE KEY-----/.test(pem)) {
    const [key, ...others] = decodePem(pem, "PRIVATE KEY");
    if (key !== undefined && others.length === 0) return key;
    throw new KeyboundError(
      "invalid_credential_material",
      "The text holds several private keys. Pass the one that the certificate was issued for.",
    );
  }
  const [, form] = /-----BEGIN ([\w ]{0,32}PRIVATE KEY)-----/.exec(pem) ?? [];
  if (form === undefined) {
    throw new KeyboundError(
      "cert_without_private_key",
      "There is no private key with the certificate. Pass it in the same text, or as 'privateKey'.",
    );
  }
  throw new KeyboundError(
    "invalid_credential_material",
    `The private key is a '${form}'. Convert it: openssl pkcs8 -topk8 -nocrypt.`,
  );
}
