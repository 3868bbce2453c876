/**
 * The DER writers, byte for byte.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Bytes, concat, hex } from "../../src/encoding.ts";
import { readDer, readOid, readPositiveInteger } from "../../src/x509/der.ts";
import * as TAG from "../../src/x509/der_tags.ts";
import {
  bitString,
  context,
  directoryString,
  encodeDer,
  integer,
  nullValue,
  oid,
  sequence,
  setOf,
  utf8String,
} from "../../src/x509/der_writer.ts";
import { assertCode, bytes } from "./support/assert.ts";

describe("oid refuses", () => {
  const refused = [
    "",
    "1",
    "1.",
    "1.2.",
    ".1",
    "1..2",
    "3.1",
    "1.40",
    "0.40",
    "1.02",
    "2.05",
    "1.2.x",
  ];
  for (const dotted of [...refused, "1.2.-3", "1.2 ", "1.2\n"]) {
    it(JSON.stringify(dotted), () => assertCode(() => oid(dotted), "invalid_argument"));
  }
});

describe("the writers give", () => {
  const vectors: readonly (readonly [what: string, der: Bytes, expected: string])[] = [
    ["an empty SEQUENCE", sequence(), "30 00"],
    [
      "a SEQUENCE in the order given",
      sequence(bytes("0500"), bytes("020101")),
      "30 05 05 00 02 01 01",
    ],
    [
      "a SET OF in the order given",
      setOf(bytes("040100"), bytes("0402000a"), bytes("0402ff00")),
      "31 0b 04 01 00 04 02 00 0a 04 02 ff 00",
    ],
    ["equal members of a SET OF", setOf(bytes("0500"), bytes("0500")), "31 04 05 00 05 00"],
    ["a context tag", context(0, nullValue()), "a0 02 05 00"],
    ["an empty context tag", context(3), "a3 00"],
    ["zero from no digits", integer(new Uint8Array()), "02 01 00"],
    ["zero from zeros", integer(bytes("0000")), "02 01 00"],
    ["a number without leading zeros", integer(bytes("00007f")), "02 01 7f"],
    ["a number with a sign octet", integer(bytes("80")), "02 02 00 80"],
    ["an empty BIT STRING", bitString(new Uint8Array()), "03 01 00"],
    ["a BIT STRING", bitString(bytes("a5")), "03 02 00 a5"],
    ["NULL", nullValue(), "05 00"],
    ["sha256WithRSAEncryption", oid("1.2.840.113549.1.1.11"), "06 09 2a 86 48 86 f7 0d 01 01 0b"],
    [
      "the cuId attribute type",
      oid("1.3.6.1.4.1.311.90.2.10"),
      "06 0a 2b 06 01 04 01 82 37 5a 02 0a",
    ],
    ["domainComponent", oid("0.9.2342.19200300.100.1.25"), "06 0a 09 92 26 89 93 f2 2c 64 01 19"],
    ["a UTF8String", utf8String("é"), "0c 02 c3 a9"],
    [
      "a PrintableString",
      directoryString("a 'b'()+,-./:=?9Z"),
      "13 11 61 20 27 62 27 28 29 2b 2c 2d 2e 2f 3a 3d 3f 39 5a",
    ],
    ["a UTF8String for an underscore", directoryString("_"), "0c 01 5f"],
    ["a UTF8String for an asterisk", directoryString("*"), "0c 01 2a"],
    ["a UTF8String for a line feed at the end", directoryString("a\n"), "0c 02 61 0a"],
  ];
  for (const [what, der, expected] of vectors) {
    it(what, () => assert.equal(hex(der), hex(bytes(expected))));
  }

  const lengths: readonly (readonly [length: number, header: string])[] = [
    [0, "04 00"],
    [127, "04 7f"],
    [128, "04 81 80"],
    [255, "04 81 ff"],
    [256, "04 82 01 00"],
    [65_535, "04 82 ff ff"],
    [65_536, "04 83 01 00 00"],
  ];
  for (const [length, header] of lengths) {
    it(`the shortest header for ${length} bytes`, () => {
      const der = encodeDer(TAG.OCTET_STRING, new Uint8Array(length));
      assert.equal(hex(der.subarray(0, -length || undefined)), hex(bytes(header)));
    });
  }
});

describe("what is written is read back", () => {
  it("for any object identifier", () => {
    const arc = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n });
    const dotted = fc.oneof(
      fc.tuple(fc.constantFrom(0n, 1n), fc.bigInt({ min: 0n, max: 39n }), arc),
      fc.tuple(fc.constant(2n), arc, arc),
    ).map((arcs) => arcs.join("."));
    fc.assert(fc.property(dotted, (text) => {
      assert.equal(readOid(readDer(oid(text), TAG.OBJECT_IDENTIFIER)), text);
    }));
  });

  it("for any positive number, whatever zeros it began with", () => {
    const magnitude = fc.uint8Array({ minLength: 1, maxLength: 70 }).filter((m) => m[0]! > 0);
    fc.assert(fc.property(magnitude, fc.nat(3), (digits, zeros) => {
      const der = integer(concat(new Uint8Array(zeros), digits));
      assert.deepEqual(readPositiveInteger(readDer(der, TAG.INTEGER)), Uint8Array.from(digits));
    }));
  });
});
