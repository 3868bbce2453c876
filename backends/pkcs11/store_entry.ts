/**
 * A certificate store entry as two objects of a token.
 *
 * A private data object is the entry: alias, endpoint, client id and the certificate's SHA-256, in
 * JSON. Only who knows the PIN can have written it, which matters for an endpoint. A certificate
 * object next to it holds the certificate where other programs look for one. Both carry the label
 * `keybound <first 32 hex digits of the alias's SHA-256>`.
 *
 * @module
 */

import { createHash } from "node:crypto";
import * as v from "valibot";
import { type Bytes, fromUtf8, hex, utf8 } from "../../src/encoding.ts";
import { isKeyboundError } from "../../src/errors.ts";
import { HttpsBase, Identifier, parseJson, text } from "../../src/parse.ts";
import { MAX_ALIAS_LENGTH } from "../../src/store_rules.ts";
import type { StoredBinding } from "../../src/stores.ts";
import { integer } from "../../src/x509/der_writer.ts";
import { type Certificate, parseCertificate } from "../../src/x509/certificate.ts";
import { CKA, CKC } from "./constants.ts";
import type { Attribute } from "./structs.ts";

/** An entry and its objects' content. */
export interface StoreEntry {
  readonly binding: StoredBinding;
  /** When its certificate expires, milliseconds since the Unix epoch. */
  readonly notAfter: number;
}

/** `CKA_APPLICATION` of the data objects. */
const APPLICATION = utf8("keybound");

const YES = Uint8Array.of(1);
const NO = Uint8Array.of(0);

const EntryData = v.strictObject({
  version: v.literal(1),
  alias: v.pipe(v.string(), v.maxLength(MAX_ALIAS_LENGTH)),
  endpoint: HttpsBase,
  clientId: Identifier,
  certificate: text(/^[0-9a-f]{64}$/),
});

/** The label of all objects of this alias. */
export function entryLabel(alias: string): Attribute {
  // Unlike its UTF-8, its JSON tells lone surrogates apart.
  const hash = hex(sha256(utf8(JSON.stringify(alias))));
  return [CKA.LABEL, utf8(`keybound ${hash.slice(0, 32)}`)];
}

/** Tells the data objects of an alias from others'; the class is to be added. */
export function dataTemplate(alias: string): Attribute[] {
  return [
    [CKA.TOKEN, YES],
    [CKA.PRIVATE, YES],
    [CKA.APPLICATION, APPLICATION],
    entryLabel(alias),
  ];
}

/** The data object of an entry, without its class. */
export function dataObject(alias: string, binding: StoredBinding): Attribute[] {
  const { endpoint, clientId } = binding;
  const certificate = hex(sha256(binding.certificate));
  const content = JSON.stringify({ version: 1, alias, endpoint, clientId, certificate });
  return [...dataTemplate(alias), [CKA.VALUE, utf8(content)]];
}

/** The certificate object of an entry, without its class. */
export function certificateObject(
  alias: string,
  { der, subject, issuer, serialNumber }: Certificate,
  id: Bytes,
  number: (value: number) => Bytes,
): Attribute[] {
  return [
    [CKA.TOKEN, YES],
    // tpm2-pkcs11 takes no private ones.
    [CKA.PRIVATE, NO],
    [CKA.CERTIFICATE_TYPE, number(CKC.X_509)],
    entryLabel(alias),
    [CKA.ID, id],
    [CKA.SUBJECT, subject],
    [CKA.ISSUER, issuer],
    [CKA.SERIAL_NUMBER, integer(serialNumber)],
    [CKA.VALUE, der],
  ];
}

/** `CKA_ID` for a certificate whose key isn't in the token: 20 bytes of the SPKI's SHA-256. */
export function orphanId({ spki }: Certificate): Bytes {
  return sha256(spki).slice(0, 20);
}

/** The entry of this data object and one of these certificates; `undefined` where it isn't whole. */
export function readEntry(
  alias: string,
  content: Bytes,
  certificates: readonly Bytes[],
): StoreEntry | undefined {
  try {
    const data = parseJson(EntryData, fromUtf8(content));
    if (data === undefined || data.alias !== alias) return undefined;
    const certificate = certificates.find((der) => hex(sha256(der)) === data.certificate);
    if (certificate === undefined) return undefined;
    const { endpoint, clientId } = data;
    const { notAfter } = parseCertificate(certificate);
    return { binding: { certificate: certificate.slice(), endpoint, clientId }, notAfter };
  } catch (error) {
    if (isKeyboundError(error)) return undefined;
    throw error;
  }
}

function sha256(bytes: Bytes): Bytes {
  return new Uint8Array(createHash("sha256").update(bytes).digest());
}
