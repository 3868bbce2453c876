/**
 * A certificate store entry as a file: its name and its JSON.
 *
 * The name is `<hash of the alias>.<thumbprint>.v1.json`, both SHA-256 in lower-case hex, so that
 * file systems that fold letter case or normalize Unicode keep aliases apart. A later format gets
 * another suffix and leaves these files alone.
 *
 * @module
 */

import { createHash } from "node:crypto";
import * as v from "valibot";
import { base64, type Bytes, fromBase64, fromUtf8, utf8 } from "../../src/encoding.ts";
import { isKeyboundError } from "../../src/errors.ts";
import { HttpsBase, Identifier, parseJson } from "../../src/parse.ts";
import { MAX_ALIAS_LENGTH } from "../../src/store_rules.ts";
import type { StoredBinding } from "../../src/stores.ts";
import { parseCertificate } from "../../src/x509/certificate.ts";

/** Longest file that is read, bytes: a certificate of 64 KiB in base64, and the rest. */
export const MAX_ENTRY_SIZE = 131_072;

const SUFFIX = ".v1.json";

/** An entry as it was read. */
export interface Entry {
  /** Name of its file. */
  readonly name: string;
  /** What it holds. */
  readonly binding: StoredBinding;
  /** When its certificate expires, milliseconds since the Unix epoch. */
  readonly notAfter: number;
}

const EntryFile = v.strictObject({
  alias: v.pipe(v.string(), v.maxLength(MAX_ALIAS_LENGTH)),
  endpoint: HttpsBase,
  clientId: Identifier,
  certificate: v.pipe(v.string(), v.maxLength(MAX_ENTRY_SIZE)),
});

/** Lower-case hex SHA-256 of an alias; unlike its UTF-8, its JSON tells lone surrogates apart. */
export function aliasHash(alias: string): string {
  return sha256(utf8(JSON.stringify(alias)));
}

/** The name of the file for this alias and certificate. */
export function entryName(alias: string, certificate: Bytes): string {
  return `${aliasHash(alias)}.${sha256(certificate)}${SUFFIX}`;
}

/** Whether a file is by its name an entry of this alias. */
export function isEntryName(name: string, alias: string): boolean {
  return name.startsWith(`${aliasHash(alias)}.`) && name.endsWith(SUFFIX);
}

/** The content of the file for this entry. */
export function encodeEntry(alias: string, binding: StoredBinding): Bytes {
  const { endpoint, clientId, certificate } = binding;
  return utf8(JSON.stringify({ alias, endpoint, clientId, certificate: base64(certificate) }));
}

/** The entry, or `undefined` where the file isn't whole or not this alias's. */
export function decodeEntry(name: string, alias: string, content: Bytes): Entry | undefined {
  try {
    const entry = parseJson(EntryFile, fromUtf8(content));
    if (entry === undefined || entry.alias !== alias) return undefined;
    const { endpoint, clientId } = entry;
    const certificate = fromBase64(entry.certificate);
    if (name !== entryName(alias, certificate)) return undefined;
    const { notAfter } = parseCertificate(certificate);
    return { name, binding: { certificate, endpoint, clientId }, notAfter };
  } catch (error) {
    if (isKeyboundError(error)) return undefined;
    throw error;
  }
}

function sha256(bytes: Bytes): string {
  return createHash("sha256").update(bytes).digest("hex");
}
