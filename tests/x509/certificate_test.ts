/**
 * Certificates field by field: what is refused, what is read.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Bytes, concat, hex } from "../../src/encoding.ts";
import { parseCertificate } from "../../src/x509/certificate.ts";
import {
  bitString,
  context,
  encodeDer,
  integer,
  nullValue,
  oid,
  sequence,
} from "../../src/x509/der_writer.ts";
import { attribute, COMMON_NAME, parseName } from "../../src/x509/name.ts";
import { assertCode, bytes } from "./support/assert.ts";
import {
  buildCertificate,
  type CertificateFields,
  commonName,
  ECDSA_SHA256,
  EXTENSIONS,
  generalizedTime,
  P256_SPKI,
  utcTime,
} from "./support/certificates.ts";

const NONE = new Uint8Array();
const V3_EXTENSIONS = context(3, sequence(...EXTENSIONS));
const ISSUER_UNIQUE_ID = bytes("81 02 00 a5");
const SUBJECT_UNIQUE_ID = bytes("82 02 00 a5");

/** A certificate valid from this encoded time on. */
function from(time: Bytes): Bytes {
  return buildCertificate({ validity: sequence(time, utcTime("491231235959Z")) });
}

describe("parseCertificate refuses", () => {
  const valid = buildCertificate();
  const extensions = (...list: readonly Bytes[]) => [context(3, sequence(...list))];
  const refused: readonly (readonly [reason: string, changed: Partial<CertificateFields>])[] = [
    ["version 2", { version: context(0, integer(bytes("01"))) }],
    ["version 4", { version: context(0, integer(bytes("03"))) }],
    ["version 1 spelt out", { version: context(0, integer(bytes("00"))), rest: [] }],
    ["a version of two octets", { version: context(0, integer(bytes("0102"))) }],
    ["a version that isn't a number", { version: context(0, nullValue()) }],
    ["two versions in one field", { version: context(0, bytes("020102 020102")) }],
    ["an empty version", { version: context(0) }],
    ["extensions in version 1", { version: NONE }],
    ["a unique id in version 1", { version: NONE, rest: [SUBJECT_UNIQUE_ID] }],
    ["no serial number", { serialNumber: NONE }],
    ["a serial number that isn't a number", { serialNumber: nullValue() }],
    ["a padded serial number", { serialNumber: bytes("02 02 00 01") }],
    ["two signature algorithms that differ", {
      outerAlgorithm: sequence(oid("1.2.840.10045.4.3.3")),
    }],
    ["two signature algorithms that differ in NULL", {
      outerAlgorithm: sequence(oid("1.2.840.10045.4.3.2"), nullValue()),
    }],
    ["no issuer", { issuer: NONE }],
    ["validity without an end", { validity: sequence(utcTime("240101000000Z")) }],
    ["validity of three times", {
      validity: sequence(...Array(3).fill(utcTime("240101000000Z"))),
    }],
    ["no public key", { spki: NONE }],
    ["a public key that is no sequence", { spki: nullValue() }],
    ["a public key without bits", { spki: sequence(ECDSA_SHA256) }],
    ["a public key and more", { spki: sequence(ECDSA_SHA256, bitString(NONE), nullValue()) }],
    ["a public key whose algorithm has two parameters", {
      spki: sequence(
        sequence(oid("1.2.840.10045.2.1"), oid("1.2.840.10045.2.1"), oid("1.2.840.10045.3.1.7")),
        bitString(bytes("04")),
      ),
    }],
    ["a public key of bits that fill no octet", {
      spki: sequence(ECDSA_SHA256, bytes("03020180")),
    }],
    ["no signature", { signature: NONE }],
    ["a signature that isn't a BIT STRING", { signature: bytes("040100") }],
    ["a signature of bits that fill no octet", { signature: bytes("03020180") }],
    ["a field behind the signature", { behind: [nullValue()] }],
  ];
  for (const [reason, changed] of refused) {
    it(reason, () => assertCode(() => parseCertificate(buildCertificate(changed)), "invalid_der"));
  }

  it("names that aren't plain text, when they are read", () => {
    for (const name of [sequence(nullValue()), commonName("a\0b"), commonName("a\r\nb")]) {
      const { issuer, subject } = parseCertificate(buildCertificate({ issuer: name }));
      assertCode(() => parseName(issuer), "invalid_der");
      assert.equal(attribute(parseName(subject), COMMON_NAME), "Subject");
    }
  });

  it("nothing, a sequence of nothing, a byte more and any number of bytes less", () => {
    assertCode(() => parseCertificate(NONE), "invalid_der");
    assertCode(() => parseCertificate(sequence()), "invalid_der");
    assertCode(
      () => parseCertificate(sequence(sequence(), ECDSA_SHA256, bitString(NONE))),
      "invalid_der",
    );
    assertCode(() => parseCertificate(concat(valid, bytes("00"))), "invalid_der");
    for (let length = 0; length < valid.length; length++) {
      assertCode(() => parseCertificate(valid.slice(0, length)), "invalid_der", `${length} bytes`);
    }
  });

  it("more than 64 KiB", () => {
    const extension = sequence(oid("1.2.3"), encodeDer(0x04, new Uint8Array(65_536)));
    assertCode(
      () => parseCertificate(buildCertificate({ rest: extensions(extension) })),
      "invalid_der",
    );
  });
});

describe("parseCertificate refuses the time", () => {
  const times: readonly Bytes[] = [
    ...[
      "",
      "2401010000Z",
      "240101000000",
      "240101000000z",
      "240101000000+0000",
      "240101000000.5Z",
      "240101000000Z0",
      "24010100000 Z",
      "2401010000-1Z",
      "20240101000000Z",
      "240001000000Z",
      "241301000000Z",
      "240100000000Z",
      "240132000000Z",
      "230229000000Z",
      "240230000000Z",
      "240431000000Z",
      "240101240000Z",
      "240101250000Z",
      "240101006000Z",
      "240101000060Z",
      "２40101000000Z",
    ].map(utcTime),
    ...[
      "240101000000Z",
      "202401010000Z",
      "20240101000000",
      "20240101000000.0Z",
      "20240101000000+0000",
      "20500229000000Z",
      "21000229000000Z",
      "20500101000060Z",
      "+2050101000000Z",
      "020240101000000Z",
      "20240101000000Z0",
      "20240101000000ZZ0",
    ].map(generalizedTime),
    encodeDer(0x16, bytes("3234303130313030303030305a")),
    nullValue(),
  ];
  for (const time of times) {
    const text = new TextDecoder().decode(time.subarray(2));
    it(`${JSON.stringify(text)} under tag ${time[0]}`, () => {
      assertCode(() => parseCertificate(from(time)), "invalid_der");
    });
  }
});

describe("parseCertificate reads", () => {
  const times: readonly (readonly [time: Bytes, iso: string])[] = [
    [utcTime("500101000000Z"), "1950-01-01T00:00:00.000Z"],
    [utcTime("991231235959Z"), "1999-12-31T23:59:59.000Z"],
    [utcTime("000229120000Z"), "2000-02-29T12:00:00.000Z"],
    [utcTime("491231235959Z"), "2049-12-31T23:59:59.000Z"],
    [generalizedTime("20500101000000Z"), "2050-01-01T00:00:00.000Z"],
    [generalizedTime("19700101000000Z"), "1970-01-01T00:00:00.000Z"],
    [generalizedTime("00010101000000Z"), "0001-01-01T00:00:00.000Z"],
    [generalizedTime("99991231235959Z"), "9999-12-31T23:59:59.000Z"],
  ];
  for (const [time, iso] of times) {
    it(`the time ${iso}`, () => {
      assert.equal(new Date(parseCertificate(from(time)).notBefore).toISOString(), iso);
    });
  }

  it("version 3 with all its optional fields, and without any", () => {
    const all = [ISSUER_UNIQUE_ID, SUBJECT_UNIQUE_ID, V3_EXTENSIONS];
    for (const rest of [all, [ISSUER_UNIQUE_ID], []]) {
      assert.deepEqual(parseCertificate(buildCertificate({ rest })).spki, P256_SPKI);
    }
  });

  it("every field of version 1", () => {
    const der = buildCertificate({ version: NONE, rest: [], serialNumber: bytes("02 02 00 ff") });
    const certificate = parseCertificate(der);
    assert.deepEqual(certificate, {
      der,
      serialNumber: bytes("00ff"),
      issuer: commonName("Issuer"),
      subject: commonName("Subject"),
      notBefore: Date.UTC(2024, 0, 1),
      notAfter: Date.UTC(2024, 0, 8),
      spki: P256_SPKI,
    });
  });

  it("an empty list of extensions, as @peculiar/x509 writes it", () => {
    const der = buildCertificate({ rest: [context(3, sequence())] });
    assert.deepEqual(parseCertificate(der).spki, P256_SPKI);
  });

  it("names without attributes, and a negative serial number, as old issuers have them", () => {
    const certificate = parseCertificate(
      buildCertificate({ subject: sequence(), serialNumber: bytes("02 01 80") }),
    );
    assert.deepEqual(parseName(certificate.subject), []);
    assert.equal(hex(certificate.serialNumber), "80");
  });

  it("a value that stays when the input changes", () => {
    const der = buildCertificate();
    const padded = concat(bytes("00"), der).subarray(1);
    const certificate = parseCertificate(padded);
    padded.fill(0);
    assert.deepEqual(certificate.der, der);
    assert.deepEqual(certificate.spki, P256_SPKI);
    assert.equal(certificate.spki.buffer.byteLength, P256_SPKI.length);
    assert.equal(certificate.serialNumber.buffer.byteLength, 2);
    assert.equal(attribute(parseName(certificate.subject), COMMON_NAME), "Subject");
    assert.ok(Object.isFrozen(certificate));
  });
});
