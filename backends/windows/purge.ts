/**
 * Certificates over a key that is no more (protocol.md section 2.3).
 *
 * @module
 */

import { type Bytes, equalBytes } from "../../src/encoding.ts";
import { isKeyboundError } from "../../src/errors.ts";
import type { KeyContainer } from "../../src/keys.ts";
import { parseCertificate } from "../../src/x509/certificate.ts";
import { parseName } from "../../src/x509/name.ts";
import { type StoreScope, withCertificates } from "./certificates.ts";
import type { WindowsSigningKey } from "./key.ts";
import type { WindowsSystem } from "./system.ts";

/** Part of the name of who issues certificates to managed identities. */
const ISSUER = "managedidentitysnissuer.login.microsoft.com";

/**
 * Deletes the managed identity certificates whose key was where this one is now. Certificates of other
 * issuers, over other keys and over this one stay. What it can't delete it leaves: such a certificate
 * is found to be an orphan when it is next read.
 */
export function purgeCertificates(
  system: Pick<WindowsSystem, "crypt32" | "kernel32" | "memory">,
  scope: StoreScope,
  { keyContainer: place, spki }: Pick<WindowsSigningKey, "keyContainer" | "spki">,
): void {
  try {
    withCertificates(
      system,
      scope,
      (store) =>
        store.remove(({ der, keyContainer }) =>
          keyContainer !== undefined && isSamePlace(keyContainer, place) &&
          isOfManagedIdentity(der) && !equalBytes(parseCertificate(der).spki, spki)
        ),
    );
  } catch (error) {
    if (!isKeyboundError(error)) throw error;
  }
}

/** Whether the issuer's name has the text in it, in whatever case. */
export function isOfManagedIdentity(der: Bytes): boolean {
  try {
    return parseName(parseCertificate(der).issuer)
      .some(({ value }) => value.toLowerCase().includes(ISSUER));
  } catch (error) {
    if (isKeyboundError(error)) return false;
    throw error;
  }
}

/** CNG's names don't differ by case. */
function isSamePlace(one: KeyContainer, other: KeyContainer): boolean {
  return one.container.toLowerCase() === other.container.toLowerCase() &&
    one.provider.toLowerCase() === other.provider.toLowerCase() && one.machine === other.machine;
}
