/**
 * Client credentials from PKCS#12 files (`.p12`, `.pfx`), through pkijs.
 *
 * @module
 */

import type { ClientCredential } from "../../src/credential.ts";
import { KeyboundError } from "../../src/errors.ts";
import { softwareCredential } from "../../src/software_key/credential.ts";
import { readArchive } from "./archive.ts";

/** Options of {@linkcode pkcs12Credential}. */
export interface Pkcs12Options {
  /** Password of the file; some files have the empty one. @default "" */
  password?: string;
  /** The implementation that decrypts and signs. @default globalThis.crypto */
  crypto?: Crypto;
}

/**
 * The credential in a PKCS#12 file: its private key, the certificate over that key, and the issuers
 * that are there. The key stays in this process's memory.
 *
 * Takes files encrypted with AES (PBES2) or triple DES; not those of RC2, which are still written
 * by `openssl pkcs12 -legacy`.
 *
 * Rejects with `wrong_password`, `cert_without_private_key` for a file without a key,
 * `invalid_credential_material` for a file that can't be read, holds several keys, or one that isn't
 * RSA from 2048 bits on or P-256, `certificate_key_mismatch` where no certificate is over the key,
 * `invalid_der`, and `missing_dependency` without pkijs.
 *
 * @example
 * ```ts
 * const credential = await pkcs12Credential(await readFile("client.p12"), { password });
 * ```
 */
export async function pkcs12Credential(
  file: Uint8Array,
  options: Pkcs12Options = {},
): Promise<ClientCredential> {
  const { password = "", crypto = globalThis.crypto } = options;
  const { keys: [key, ...others], certificates } = await readArchive(file, password, crypto);
  if (key === undefined) {
    throw new KeyboundError(
      "cert_without_private_key",
      "The PKCS#12 file holds no private key. Export certificate and key together.",
    );
  }
  if (others.length > 0) {
    throw new KeyboundError(
      "invalid_credential_material",
      "The PKCS#12 file holds several private keys. Export one with its certificate.",
    );
  }
  return await softwareCredential(key, certificates, "pkcs12", crypto);
}
