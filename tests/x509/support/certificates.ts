/**
 * Certificates put together field by field, each field replaceable by a wrong one. Their signature
 * is no signature: nothing here checks it.
 *
 * @module
 */

import { type Bytes, utf8 } from "../../../src/encoding.ts";
import * as TAG from "../../../src/x509/der_tags.ts";
import {
  bitString,
  context,
  encodeDer,
  integer,
  oid,
  sequence,
  setOf,
} from "../../../src/x509/der_writer.ts";
import { bytes } from "./assert.ts";

/** SubjectPublicKeyInfo of the base point of P-256. */
export const P256_SPKI: Bytes = bytes(`
  3059301306072a8648ce3d020106082a8648ce3d03010703420004
  6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296
  4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5`);

/** AlgorithmIdentifier ecdsa-with-SHA256. */
export const ECDSA_SHA256: Bytes = sequence(oid("1.2.840.10045.4.3.2"));

/** One attribute of a name, its value encoded. */
export function attributeOf(type: string, value: Bytes): Bytes {
  return sequence(oid(type), value);
}

/** A name of one attribute each RDN. */
export function nameOf(...attributes: readonly Bytes[]): Bytes {
  return sequence(...attributes.map((attribute) => setOf(attribute)));
}

/** A name that is a UTF8String CN. */
export function commonName(text: string): Bytes {
  return nameOf(attributeOf("2.5.4.3", encodeDer(TAG.UTF8_STRING, utf8(text))));
}

/** A UTCTime with this text. */
export function utcTime(text: string): Bytes {
  return encodeDer(TAG.UTC_TIME, utf8(text));
}

/** A GeneralizedTime with this text. */
export function generalizedTime(text: string): Bytes {
  return encodeDer(TAG.GENERALIZED_TIME, utf8(text));
}

/** A critical extension nobody knows, and the same not critical. */
export const EXTENSIONS: readonly Bytes[] = [
  sequence(oid("1.2.3.4"), bytes("0101ff"), bytes("04020500")),
  sequence(oid("1.2.3.5"), bytes("04020500")),
];

/** The fields of a certificate, each a whole encoding. */
export interface CertificateFields {
  version: Bytes;
  serialNumber: Bytes;
  algorithm: Bytes;
  issuer: Bytes;
  validity: Bytes;
  subject: Bytes;
  spki: Bytes;
  /** What follows the public key. */
  rest: readonly Bytes[];
  outerAlgorithm: Bytes;
  signature: Bytes;
  /** What follows the signature. */
  behind: readonly Bytes[];
}

/** A certificate of version 3 with these fields changed. */
export function buildCertificate(changed: Partial<CertificateFields> = {}): Bytes {
  const fields: CertificateFields = {
    version: context(0, integer(bytes("02"))),
    serialNumber: integer(bytes("0102")),
    algorithm: ECDSA_SHA256,
    issuer: commonName("Issuer"),
    validity: sequence(utcTime("240101000000Z"), utcTime("240108000000Z")),
    subject: commonName("Subject"),
    spki: P256_SPKI,
    rest: [context(3, sequence(...EXTENSIONS))],
    outerAlgorithm: changed.algorithm ?? ECDSA_SHA256,
    signature: bitString(bytes("30060201010201 01")),
    behind: [],
    ...changed,
  };
  const tbs = sequence(
    fields.version,
    fields.serialNumber,
    fields.algorithm,
    fields.issuer,
    fields.validity,
    fields.subject,
    fields.spki,
    ...fields.rest,
  );
  return sequence(tbs, fields.outerAlgorithm, fields.signature, ...fields.behind);
}
