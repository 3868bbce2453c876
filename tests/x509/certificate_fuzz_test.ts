/**
 * Damaged certificates: an error with a code, or the fields an independent parser reads.
 *
 * @module
 */

import "reflect-metadata";
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { BasicConstraintsExtension, X509CertificateGenerator } from "@peculiar/x509";
import fc from "fast-check";
import { type Bytes, concat, utf8 } from "../../src/encoding.ts";
import { isKeyboundError } from "../../src/errors.ts";
import { type Certificate, parseCertificate } from "../../src/x509/certificate.ts";
import { type DerElement, readDer } from "../../src/x509/der.ts";
import * as TAG from "../../src/x509/der_tags.ts";
import { encodeDer, sequence, setOf } from "../../src/x509/der_writer.ts";
import { type Name, parseName } from "../../src/x509/name.ts";
import { publicKeyAlgorithm } from "../../src/x509/public_key.ts";
import { bytes } from "./support/assert.ts";
import {
  attributeOf,
  buildCertificate,
  generalizedTime,
  nameOf,
  utcTime,
} from "./support/certificates.ts";
import { damagedBytes, damagedTree } from "./support/mutation.ts";
import { ourReading, peculiarReading, type Reading } from "./support/peculiar.ts";

/** A value and the DER that says it. */
interface Written<T> {
  readonly value: T;
  readonly der: Bytes;
}

const latin1 = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
const utf16 = (text: string) =>
  Uint8Array.from(
    Array.from({ length: text.length }, (_, i) => text.charCodeAt(i)).flatMap((
      u,
    ) => [u >> 8, u & 0xff]),
  );

/** Text of such letters as a string of this type. */
function written(
  tag: number,
  letters: fc.Arbitrary<string>,
  encode: (text: string) => Uint8Array,
): fc.Arbitrary<Written<string>> {
  const unit = letters.filter((letter) => !/\p{Cc}/u.test(letter));
  return fc.string({ unit, minLength: 1, maxLength: 12 }).map((value) => ({
    value,
    der: encodeDer(tag, encode(value)),
  }));
}

const letter = (max: number) => fc.nat(max).map((code) => String.fromCharCode(code));
const anyText = fc.oneof(
  written(TAG.PRINTABLE_STRING, letter(0x7f), utf8),
  written(TAG.IA5_STRING, letter(0x7f), utf8),
  written(TAG.TELETEX_STRING, letter(0xff), latin1),
  written(TAG.UTF8_STRING, fc.string({ unit: "binary", minLength: 1, maxLength: 1 }), utf8),
  written(TAG.BMP_STRING, fc.string({ unit: "binary", minLength: 1, maxLength: 1 }), utf16),
);
const anyType = fc.constantFrom(
  "2.5.4.3",
  "2.5.4.5",
  "0.9.2342.19200300.100.1.25",
  "1.2.840.113549.1.9.1",
);

/** A name of up to four relative names of one or two attributes. */
const anyName: fc.Arbitrary<Written<Name>> = fc.array(
  fc.array(fc.tuple(anyType, anyText), { minLength: 1, maxLength: 2 }),
  { maxLength: 4 },
).map((relative) => ({
  value: relative.flatMap((pairs, rdn) => pairs.map(([type, { value }]) => ({ type, value, rdn }))),
  // Not `setOf`: the order of attributes as it is written has to come back.
  der: sequence(
    ...relative.map((pairs) =>
      encodeDer(TAG.SET, ...pairs.map(([type, { der }]) => attributeOf(type, der)))
    ),
  ),
}));

/** A time as RFC 5280 has it: UTCTime through 2049, then GeneralizedTime. */
const anyTime: fc.Arbitrary<Written<number>> = fc.integer({
  min: Date.UTC(1950) / 1_000,
  max: Date.UTC(10_000) / 1_000 - 1,
}).map((seconds) => {
  const digits = new Date(seconds * 1_000).toISOString().replace(/\D/g, "").slice(0, 14);
  const der = digits < "2050" ? utcTime(`${digits.slice(2)}Z`) : generalizedTime(`${digits}Z`);
  return { value: seconds * 1_000, der };
});

/** The certificate, or `undefined` where it is refused; any other outcome is thrown. */
function parsed(der: Bytes): Certificate | undefined {
  try {
    const certificate = parseCertificate(der);
    parseName(certificate.issuer);
    parseName(certificate.subject);
    readKey(certificate.spki);
    return certificate;
  } catch (error) {
    if (isKeyboundError(error, "invalid_der")) return undefined;
    throw error;
  }
}

/** A key is read on demand, as names are; keys of other kinds than ours are keys. */
function readKey(spki: Bytes): void {
  try {
    publicKeyAlgorithm(spki);
  } catch (error) {
    if (!isKeyboundError(error, "unsupported_key")) throw error;
  }
}

/**
 * What others read. They refuse extensions and unique ids that we don't look into, and are then asked
 * about the certificate without these.
 */
function theirReading(der: Bytes): Reading {
  try {
    return peculiarReading(der);
  } catch {
    const [tbs, ...rest] = readDer(der).members;
    const isRead = ({ tag }: DerElement) => ![0x81, 0x82, 0xa1, 0xa2, 0xa3].includes(tag);
    const fields = tbs!.members.filter(isRead).map(({ encoding }) => encoding);
    return peculiarReading(sequence(sequence(...fields), ...rest.map(({ encoding }) => encoding)));
  }
}

/** Certificates with every field and string type that is read. */
async function originals(): Promise<readonly Bytes[]> {
  const validity = {
    notBefore: new Date("2049-12-31T23:59:59Z"),
    notAfter: new Date("2050-01-07T00:00:00Z"),
  };
  const made = await Promise.all([
    { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
    {
      name: "RSASSA-PKCS1-v1_5",
      hash: "SHA-256",
      modulusLength: 2048,
      publicExponent: Uint8Array.of(1, 0, 1),
    },
  ].map(async (signingAlgorithm) => {
    const usages: KeyUsage[] = ["sign", "verify"];
    const keys = await crypto.subtle.generateKey(signingAlgorithm, true, usages) as CryptoKeyPair;
    const certificate = await X509CertificateGenerator.createSelfSigned({
      name: "DC=tenant, CN=client",
      ...validity,
      keys,
      signingAlgorithm,
      extensions: [new BasicConstraintsExtension(true, 2, true)],
    });
    return new Uint8Array(certificate.rawData);
  }));
  const cn = (value: string) => attributeOf("2.5.4.3", bytes(value));
  const rich = buildCertificate({
    issuer: nameOf(cn("13 02 4142"), cn("14 02 e9df"), cn("1e 04 00e9 4e2d"), cn("0c 02 c3a9")),
    subject: sequence(
      setOf(attributeOf("0.9.2342.19200300.100.1.25", bytes("16 02 7879"))),
      setOf(cn("0c 01 61"), attributeOf("2.5.4.11", bytes("13 01 62"))),
    ),
    validity: sequence(utcTime("500228235959Z"), generalizedTime("20520229000000Z")),
    rest: [bytes("81 02 00 a5"), bytes("82 02 00 a5")],
  });
  return [...made, rich, buildCertificate({ version: new Uint8Array(), rest: [] })];
}

describe("a damaged certificate", () => {
  let certificates: readonly Bytes[];
  before(async () => {
    certificates = await originals();
  });

  /** Asserts that what is accepted of `damaged` is read as others read it, and says how many. */
  function assertNoWrongField(damaged: fc.Arbitrary<Bytes>, numRuns: number): number {
    let accepted = 0;
    fc.assert(
      fc.property(damaged, (der) => {
        const certificate = parsed(der);
        if (certificate === undefined) return;
        accepted++;
        assert.deepEqual(certificate.der, der);
        const ours = ourReading(certificate);
        const theirs = theirReading(der);
        assert.deepEqual(ours, { ...theirs, spki: theirs.spki ?? ours.spki });
      }),
      { numRuns, interruptAfterTimeLimit: 2_500 },
    );
    return accepted;
  }

  it("is refused or read as it stands, its octets changed anywhere", () => {
    const accepted = assertNoWrongField(damagedBytes(certificates), 1_000);
    assert.ok(accepted > 0, "none accepted: the property says nothing");
  });

  it("is refused or read as it stands, its elements changed anywhere", () => {
    const accepted = assertNoWrongField(damagedTree(certificates), 1_000);
    assert.ok(accepted > 0, "none accepted: the property says nothing");
  });

  it("is refused when cut short or continued", () => {
    const cut = fc.constantFrom(...certificates).chain((der) =>
      fc.oneof(
        fc.nat(der.length - 1).map((length) => der.slice(0, length)),
        fc.uint8Array({ minLength: 1, maxLength: 20 }).map((more) => concat(der, more)),
      )
    );
    fc.assert(fc.property(cut, (der) => assert.equal(parsed(der), undefined)), { numRuns: 500 });
  });
});

describe("any bytes", () => {
  it("are refused with a code", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (input) => {
        assert.equal(parsed(Uint8Array.from(input)), undefined);
      }),
      { numRuns: 1_000 },
    );
  });

  it("that are a certificate are read as written", () => {
    fc.assert(
      fc.property(anyName, anyName, anyTime, anyTime, (issuer, subject, notBefore, notAfter) => {
        const der = buildCertificate({
          issuer: issuer.der,
          subject: subject.der,
          validity: sequence(notBefore.der, notAfter.der),
        });
        const certificate = parseCertificate(der);
        assert.deepEqual(parseName(certificate.issuer), issuer.value);
        assert.deepEqual(parseName(certificate.subject), subject.value);
        assert.equal(certificate.notBefore, notBefore.value);
        assert.equal(certificate.notAfter, notAfter.value);
        assert.deepEqual(ourReading(certificate), peculiarReading(der));
      }),
      { numRuns: 150 },
    );
  });
});
