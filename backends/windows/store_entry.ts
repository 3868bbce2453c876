/**
 * A certificate of a Windows store as an entry of ours (protocol.md section 3.4).
 *
 * @module
 */

import * as v from "valibot";
import { isKeyboundError, KeyboundError } from "../../src/errors.ts";
import { HttpsBase } from "../../src/parse.ts";
import { assertAlias } from "../../src/store_rules.ts";
import type { StoredBinding } from "../../src/stores.ts";
import { type Certificate, parseCertificate } from "../../src/x509/certificate.ts";
import { attribute, COMMON_NAME, parseName } from "../../src/x509/name.ts";
import type { StoreCertificate } from "./certificates.ts";
import { decodeFriendlyName } from "./friendly_name.ts";

/** An entry and what is known of it. */
export interface WindowsEntry {
  readonly binding: StoredBinding;
  /** When its certificate expires, milliseconds since the Unix epoch. */
  readonly notAfter: number;
  /** What it was read from. */
  readonly stored: StoreCertificate;
  /** DER SubjectPublicKeyInfo of the certificate. */
  readonly spki: Certificate["spki"];
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Whether the friendly name says that this is a certificate of the alias. */
export function isOfAlias({ friendlyName }: StoreCertificate, alias: string): boolean {
  return decodeFriendlyName(friendlyName)?.alias === alias;
}

/**
 * The entry that a certificate is; `undefined` for one of another alias, one that doesn't parse,
 * and one whose endpoint or common name isn't what a binding has.
 */
export function readEntry(stored: StoreCertificate, alias: string): WindowsEntry | undefined {
  const name = decodeFriendlyName(stored.friendlyName);
  if (name?.alias !== alias || !v.is(HttpsBase, name.endpoint)) return undefined;
  try {
    const certificate = parseCertificate(stored.der);
    const clientId = clientIdOf(certificate);
    if (clientId === undefined) return undefined;
    const { der, notAfter, spki } = certificate;
    return {
      binding: { certificate: der, endpoint: name.endpoint, clientId },
      notAfter,
      stored,
      spki,
    };
  } catch (error) {
    if (isKeyboundError(error)) return undefined;
    throw error;
  }
}

/** The client id that a certificate names: its common name, if that is a UUID; in lower case. */
export function clientIdOf({ subject }: Certificate): string | undefined {
  const name = attribute(parseName(subject), COMMON_NAME)?.toLowerCase();
  return name !== undefined && UUID.test(name) ? name : undefined;
}

/** Throws `invalid_argument` for an alias that a friendly name can't carry as it is. */
export function assertWindowsAlias(alias: string): void {
  assertAlias(alias);
  if (alias === alias.trim()) return;
  throw new KeyboundError(
    "invalid_argument",
    "An alias in the Windows store doesn't begin or end with white space.",
  );
}

/** Throws `invalid_argument` where the certificate doesn't name the client id that goes with it. */
export function assertNames(certificate: Certificate, clientId: string): void {
  if (clientIdOf(certificate) === clientId.toLowerCase()) return;
  throw new KeyboundError(
    "invalid_argument",
    "The Windows store reads the client id from the certificate: its common name has to be that UUID.",
  );
}
