/**
 * The fields of an X.509 certificate (RFC 5280 section 4.1) that a binding needs. Nothing here
 * says that a certificate is trusted: its signature, chain and extensions are not looked at.
 *
 * @module
 */

import { type Bytes, equalBytes } from "../encoding.ts";
import * as TAG from "./der_tags.ts";
import { type DerElement, invalidDer, match, readBitString, readDer } from "./der.ts";

/** A parsed certificate. Frozen; the bytes are copies. */
export interface Certificate {
  /** The DER it was read from. */
  readonly der: Bytes;
  /** The serial number: content octets of the INTEGER, sign octet included. */
  readonly serialNumber: Bytes;
  /** DER of the name of who issued it; `parseName` reads it. */
  readonly issuer: Bytes;
  /** DER of the name of whose it is. */
  readonly subject: Bytes;
  /** Start of its validity, milliseconds since the Unix epoch. */
  readonly notBefore: number;
  /** End of its validity, that second included; milliseconds since the Unix epoch. */
  readonly notAfter: number;
  /** DER SubjectPublicKeyInfo. */
  readonly spki: Bytes;
}

/**
 * Reads an X.509 certificate of version 1 or 3.
 *
 * Throws `invalid_der` for anything that isn't one, whole, in DER and within 64 KiB: a trailing
 * byte, two signature algorithms that differ, a date that doesn't exist, extensions in version 1.
 *
 * @example
 * ```ts
 * const { subject, notAfter } = parseCertificate(der);
 * const clientId = attribute(parseName(subject), COMMON_NAME);
 * ```
 */
export function parseCertificate(der: Bytes): Certificate {
  const copy = der.slice();
  const [tbs, algorithm, signature] = match(readDer(copy).members, CERTIFICATE);
  const [version] = tbs.members;
  const isVersion3 = version?.tag === 0xa0;
  const fields = tbs.members.slice(isVersion3 ? 1 : 0);
  const [serialNumber, tbsAlgorithm, issuer, validity, subject, spki] = match(
    fields.slice(0, 6),
    TBS_CERTIFICATE,
  );
  readBitString(signature);
  if (!equalBytes(algorithm.encoding, tbsAlgorithm.encoding)) {
    throw invalidDer("two signature algorithms");
  }
  if (isVersion3 ? !equalBytes(version.content, VERSION_3) : fields.length > 6) {
    throw invalidDer("a version other than 1 and 3");
  }
  const [notBefore, notAfter] = match(validity.members, [undefined, undefined]);
  const [keyAlgorithm, publicKey] = match(spki.members, [TAG.SEQUENCE, TAG.BIT_STRING]);
  const isUnknown = fields.slice(6).some(({ tag }) => tag < 0x80);
  if (isUnknown || keyAlgorithm.members.length > 2) throw invalidDer("other fields than expected");
  readBitString(publicKey);
  return Object.freeze({
    der: copy,
    serialNumber: serialNumber.content.slice(),
    issuer: issuer.encoding.slice(),
    subject: subject.encoding.slice(),
    notBefore: readTime(notBefore),
    notAfter: readTime(notAfter),
    spki: spki.encoding.slice(),
  });
}

const CERTIFICATE = [TAG.SEQUENCE, TAG.SEQUENCE, TAG.BIT_STRING] as const;

/** Serial number, signature algorithm, issuer, validity, subject, public key. */
const TBS_CERTIFICATE = [
  TAG.INTEGER,
  TAG.SEQUENCE,
  TAG.SEQUENCE,
  TAG.SEQUENCE,
  TAG.SEQUENCE,
  TAG.SEQUENCE,
] as const;

/** INTEGER 2. What follows the public key in version 3 is DER like all the rest, and not looked at. */
const VERSION_3 = Uint8Array.of(2, 1, 2);

/** RFC 5280 section 4.1.2.5: to the second, in UTC, the digits and `Z` alone. */
function readTime({ tag, content }: DerElement): number {
  const text = String.fromCharCode(...content.subarray(0, 16));
  const digits = tag === TAG.UTC_TIME && /^\d{12}Z$/.test(text)
    ? (text < "50" ? "20" : "19") + text
    : tag === TAG.GENERALIZED_TIME && /^\d{14}Z$/.test(text)
    ? text
    : "";
  const iso = digits.replace(/(....)(..)(..)(..)(..)(..)Z/, "$1-$2-$3T$4:$5:$6.000Z");
  const time = Date.parse(iso);
  // Parsers differ on 30 February and 24:00: only a date that comes back as itself exists.
  if (Number.isNaN(time) || new Date(time).toISOString() !== iso) {
    throw invalidDer("a date that doesn't exist");
  }
  return time;
}
