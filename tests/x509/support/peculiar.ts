/**
 * `@peculiar/x509` as an independent reader of certificates.
 *
 * @module
 */

import "reflect-metadata";
import { type Name as PeculiarName, X509Certificate } from "@peculiar/x509";
import { type Bytes, hex } from "../../../src/encoding.ts";
import type { Certificate } from "../../../src/x509/certificate.ts";
import { type Name, parseName } from "../../../src/x509/name.ts";

/** Values by attribute type, one object a relative name. */
export type NameReading = readonly Readonly<Record<string, readonly string[]>>[];

/** What two readers of one certificate can agree on. */
export interface Reading {
  /** Hex, without the octet that only makes it positive. */
  readonly serialNumber: string;
  readonly issuer: NameReading;
  readonly subject: NameReading;
  readonly notBefore: number;
  readonly notAfter: number;
  /** Hex; `undefined` where the reader refuses the key in it. */
  readonly spki: string | undefined;
}

/** The keywords that `@peculiar/x509` puts in place of attribute types. */
const TYPES: Readonly<Record<string, string>> = {
  CN: "2.5.4.3",
  SN: "2.5.4.4",
  C: "2.5.4.6",
  L: "2.5.4.7",
  ST: "2.5.4.8",
  O: "2.5.4.10",
  OU: "2.5.4.11",
  T: "2.5.4.12",
  G: "2.5.4.42",
  I: "2.5.4.43",
  DC: "0.9.2342.19200300.100.1.25",
  E: "1.2.840.113549.1.9.1",
};

/** What `@peculiar/x509` reads; throws what it throws. */
export function peculiarReading(der: Bytes): Reading {
  const certificate = new X509Certificate(der);
  return {
    serialNumber: certificate.serialNumber,
    issuer: peculiarName(certificate.issuerName),
    subject: peculiarName(certificate.subjectName),
    notBefore: certificate.notBefore.getTime(),
    notAfter: certificate.notAfter.getTime(),
    spki: peculiarSpki(certificate),
  };
}

/** It interprets the key as it reads it, and so refuses curves it doesn't know. */
function peculiarSpki(certificate: X509Certificate): string | undefined {
  try {
    return hex(new Uint8Array(certificate.publicKey.rawData));
  } catch {
    return undefined;
  }
}

/** What we read, in the same terms. */
export function ourReading(certificate: Certificate): Reading {
  return {
    serialNumber: hex(certificate.serialNumber).replace(/^00(?=.)/, ""),
    issuer: ourName(parseName(certificate.issuer)),
    subject: ourName(parseName(certificate.subject)),
    notBefore: certificate.notBefore,
    notAfter: certificate.notAfter,
    spki: hex(certificate.spki),
  };
}

/** A name of ours in the terms of {@linkcode NameReading}. */
export function ourName(name: Name): NameReading {
  const reading: Record<string, string[]>[] = [];
  for (const { type, value, rdn } of name) ((reading[rdn] ??= {})[type] ??= []).push(value);
  return reading;
}

/** A name of `@peculiar/x509` in the same terms. */
export function peculiarName(name: PeculiarName): NameReading {
  return name.toJSON().map((relative) =>
    Object.fromEntries(
      Object.entries(relative).map(([keyword, values]) => [TYPES[keyword] ?? keyword, values]),
    )
  );
}
