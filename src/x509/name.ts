/**
 * Distinguished names (RFC 5280 section 4.1.2.4) as plain values.
 *
 * @module
 */

import { type Bytes, fromUtf8 } from "../encoding.ts";
import * as TAG from "./der_tags.ts";
import { type DerElement, invalidDer, match, readDer, readOid } from "./der.ts";

/** Attribute type `commonName`. */
export const COMMON_NAME = "2.5.4.3";
/** Attribute type `domainComponent` (RFC 4519 section 2.4). */
export const DOMAIN_COMPONENT = "0.9.2342.19200300.100.1.25";

/** One attribute of a name. */
export interface NameAttribute {
  /** Attribute type, a dotted object identifier. */
  readonly type: string;
  /** The text, free of control characters. */
  readonly value: string;
  /** Index of the relative distinguished name it belongs to; several share one when joined by `+`. */
  readonly rdn: number;
}

/** The attributes of a distinguished name, in the order of its DER. Frozen. */
export type Name = readonly NameAttribute[];

/** Keywords of RFC 4514 section 3. */
const KEYWORDS: Readonly<Record<string, string>> = {
  "2.5.4.3": "CN",
  "2.5.4.7": "L",
  "2.5.4.8": "ST",
  "2.5.4.10": "O",
  "2.5.4.11": "OU",
  "2.5.4.6": "C",
  "2.5.4.9": "STREET",
  "0.9.2342.19200300.100.1.25": "DC",
  "0.9.2342.19200300.100.1.1": "UID",
};

/**
 * The value of the attribute of this type; `undefined` where the name has none, or several and so
 * no definite one.
 */
export function attribute(name: Name, type: string): string | undefined {
  const found = name.filter((candidate) => candidate.type === type);
  return found.length === 1 ? found[0]!.value : undefined;
}

/**
 * The text form of RFC 4514: last relative name first, joined by `,` and `+`, special characters
 * escaped by a backslash, so that different names never print alike. A type without a keyword there
 * is printed in dotted form, its value as text rather than hex.
 *
 * @example
 * ```ts
 * formatName(certificate.subject); // "CN=6f1c…,DC=72f9…"
 * ```
 */
export function formatName(name: Name): string {
  const relative: string[] = [];
  for (const { type, value, rdn } of name) {
    const text = `${KEYWORDS[type] ?? type}=${escape(value)}`;
    relative[rdn] = relative[rdn] === undefined ? text : `${relative[rdn]}+${text}`;
  }
  return relative.reverse().join(",");
}

/**
 * The name that this DER `Name` holds, such as a certificate's `subject`. Reads PrintableString,
 * IA5String and UTF8String, TeletexString as Latin-1, BMPString as UTF-16.
 *
 * Throws `invalid_der` for another string type, text that isn't in its encoding, and control
 * characters.
 */
export function parseName(der: Bytes): Name {
  return Object.freeze(
    readDer(der).members.flatMap((relative, rdn) => {
      match([relative], [TAG.SET]);
      if (relative.members.length === 0) throw invalidDer("a relative name without attributes");
      return relative.members.map((pair) => {
        match([pair], [TAG.SEQUENCE]);
        const [type, value] = match(pair.members, [TAG.OBJECT_IDENTIFIER, undefined]);
        return Object.freeze({ type: readOid(type), value: readText(value), rdn });
      });
    }),
  );
}

function escape(value: string): string {
  return value.replace(/[\\",+;<>]|^[ #]| $/g, "\\$&");
}

function readText({ tag, content }: DerElement): string {
  const value = decode(tag, content);
  // Control characters, and halves of surrogate pairs.
  if (value === undefined || /[\p{Cc}\p{Cs}]/u.test(value)) {
    throw invalidDer("a name that isn't plain text");
  }
  return value;
}

function decode(tag: number, content: Uint8Array): string | undefined {
  switch (tag) {
    case TAG.UTF8_STRING:
      try {
        return fromUtf8(content);
      } catch {
        return undefined;
      }
    // Issuers put `@`, `&` and `*` into PrintableString: it is read as ASCII.
    case TAG.PRINTABLE_STRING:
    case TAG.IA5_STRING:
      return content.every((octet) => octet < 0x80) ? text(content) : undefined;
    // TextDecoder's `latin1` is windows-1252, hence no decoder here.
    case TAG.TELETEX_STRING:
      return text(content);
    case TAG.BMP_STRING:
      return content.length % 2 === 0 ? text(utf16(content)) : undefined;
    default:
      return undefined;
  }
}

function utf16(content: Uint8Array): Uint16Array {
  const view = new DataView(content.buffer, content.byteOffset, content.length);
  return Uint16Array.from({ length: content.length / 2 }, (_, index) => view.getUint16(2 * index));
}

function text(units: Iterable<number>): string {
  return Array.from(units, (unit) => String.fromCharCode(unit)).join("");
}
