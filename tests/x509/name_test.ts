/**
 * Distinguished names: what is read of each string type, and how a name is printed.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Bytes, utf8 } from "../../src/encoding.ts";
import * as TAG from "../../src/x509/der_tags.ts";
import { encodeDer, sequence, setOf } from "../../src/x509/der_writer.ts";
import {
  attribute,
  COMMON_NAME,
  DOMAIN_COMPONENT,
  formatName,
  type Name,
  parseName,
} from "../../src/x509/name.ts";
import { assertCode, bytes } from "./support/assert.ts";
import { attributeOf, nameOf } from "./support/certificates.ts";

const CN = (value: Bytes): Bytes => attributeOf(COMMON_NAME, value);
const read = parseName;

/** A name of these attributes, one each RDN. */
function name(...pairs: readonly (readonly [type: string, value: string])[]): Name {
  return pairs.map(([type, value], rdn) => ({ type, value, rdn }));
}

describe("parseName refuses", () => {
  const cn = CN(encodeDer(TAG.UTF8_STRING, utf8("a")));
  const refused: readonly (readonly [reason: string, der: Bytes])[] = [
    ["a relative name that isn't a SET", sequence(sequence(cn))],
    ["a relative name without attributes", sequence(setOf())],
    ["an attribute that isn't a SEQUENCE", sequence(setOf(setOf(cn)))],
    ["an attribute without a value", sequence(setOf(sequence(bytes("0603550403"))))],
    ["an attribute of two values", sequence(setOf(sequence(bytes("0603550403 0c0161 0c0161"))))],
    ["an attribute without a type", sequence(setOf(sequence(bytes("0c0161 0c0161"))))],
    ["a type of more than 64 octets", nameOf(sequence(encodeDer(0x06, bytes("01".repeat(65)))))],
    ["UTF-8 cut short", nameOf(CN(bytes("0c 01 c3")))],
    ["overlong UTF-8", nameOf(CN(bytes("0c 02 c0 80")))],
    ["a surrogate in UTF-8", nameOf(CN(bytes("0c 03 ed a0 80")))],
    ["PrintableString beyond ASCII", nameOf(CN(bytes("13 01 e9")))],
    ["IA5String beyond ASCII", nameOf(CN(bytes("16 01 e9")))],
    ["BMPString of odd length", nameOf(CN(bytes("1e 01 61")))],
    ["BMPString with half a surrogate pair", nameOf(CN(bytes("1e 02 d8 3d")))],
    ["a NumericString", nameOf(CN(bytes("12 01 31")))],
    ["a UniversalString", nameOf(CN(bytes("1c 04 00 00 00 61")))],
    ["a value that isn't a string", nameOf(CN(bytes("02 01 01")))],
    ["a constructed value", nameOf(CN(bytes("30 00")))],
    ["NUL in a UTF8String", nameOf(CN(bytes("0c 03 61 00 62")))],
    ["NUL in a PrintableString", nameOf(CN(bytes("13 03 61 00 62")))],
    ["NUL in an IA5String", nameOf(CN(bytes("16 03 61 00 62")))],
    ["NUL in a BMPString", nameOf(CN(bytes("1e 04 00 61 00 00")))],
    ["a line feed", nameOf(CN(bytes("0c 03 61 0a 62")))],
    ["an escape", nameOf(CN(bytes("14 01 1b")))],
    ["DEL", nameOf(CN(bytes("16 01 7f")))],
    ["a C1 control in a TeletexString", nameOf(CN(bytes("14 01 85")))],
    ["a C1 control in a UTF8String", nameOf(CN(bytes("0c 02 c2 85")))],
  ];
  for (const [reason, der] of refused) {
    it(reason, () => assertCode(() => read(der), "invalid_der"));
  }
});

describe("parseName reads", () => {
  const values: readonly (readonly [what: string, value: string, text: string])[] = [
    ["PrintableString", "13 02 41 42", "AB"],
    ["PrintableString with what issuers put there", "13 03 26 40 2a", "&@*"],
    ["IA5String", "16 01 5f", "_"],
    ["UTF8String", "0c 04 f0 9f 94 91", "🔑"],
    ["a byte-order mark as the character it is", "0c 04 ef bb bf 61", "\ufeffa"],
    ["TeletexString as Latin-1", "14 02 e9 df", "éß"],
    ["BMPString", "1e 04 00 e9 4e 2d", "é中"],
    ["BMPString with a surrogate pair", "1e 04 d8 3d dd 11", "🔑"],
    ["an empty value", "0c 00", ""],
  ];
  for (const [what, value, text] of values) {
    it(what, () => assert.equal(attribute(read(nameOf(CN(bytes(value)))), COMMON_NAME), text));
  }

  it("no attributes from an empty name", () => assert.deepEqual(read(sequence()), []));

  it("attributes in their order, those of one relative name told by its index", () => {
    const dc = attributeOf(DOMAIN_COMPONENT, bytes("16 01 78"));
    const uid = attributeOf("0.9.2342.19200300.100.1.1", bytes("0c 01 79"));
    assert.deepEqual(read(sequence(setOf(dc), setOf(CN(bytes("0c 01 7a")), uid))), [
      { type: DOMAIN_COMPONENT, value: "x", rdn: 0 },
      { type: COMMON_NAME, value: "z", rdn: 1 },
      { type: "0.9.2342.19200300.100.1.1", value: "y", rdn: 1 },
    ]);
  });

  it("a value nobody can change", () => {
    const frozen = read(nameOf(CN(bytes("0c 01 61"))));
    assert.ok(Object.isFrozen(frozen) && frozen.every(Object.isFrozen));
  });
});

describe("attribute", () => {
  it("is undefined where there is none, or no definite one", () => {
    const twice = name([COMMON_NAME, "a"], [COMMON_NAME, "a"]);
    assert.equal(attribute(twice, COMMON_NAME), undefined);
    assert.equal(attribute(twice, DOMAIN_COMPONENT), undefined);
  });
});

describe("formatName", () => {
  const printed: readonly (readonly [what: string, name: Name, text: string])[] = [
    ["an empty name", [], ""],
    [
      "the last relative name first",
      name([DOMAIN_COMPONENT, "t"], [COMMON_NAME, "c"]),
      "CN=c,DC=t",
    ],
    ["a type without a keyword", name(["2.5.4.5", "1"]), "2.5.4.5=1"],
    ["special characters", name([COMMON_NAME, 'a"+,;<>\\b=']), 'CN=a\\"\\+\\,\\;\\<\\>\\\\b='],
    ["a space or hash at an edge", name([COMMON_NAME, " a # "]), "CN=\\ a #\\ "],
    ["a leading hash", name([COMMON_NAME, "#00"]), "CN=\\#00"],
    ["one space", name([COMMON_NAME, " "]), "CN=\\ "],
    ["two spaces", name([COMMON_NAME, "  "]), "CN=\\ \\ "],
    ["letters beyond ASCII", name([COMMON_NAME, "é中🔑"]), "CN=é中🔑"],
    ["several attributes in one relative name", [
      { type: "2.5.4.10", value: "o", rdn: 0 },
      { type: COMMON_NAME, value: "a", rdn: 1 },
      { type: "2.5.4.11", value: "b", rdn: 1 },
    ], "CN=a+OU=b,O=o"],
  ];
  for (const [what, value, text] of printed) {
    it(`prints ${what}`, () => assert.equal(formatName(value), text));
  }

  it("prints different names differently", () => {
    const value = fc.string({ unit: fc.constantFrom("a", " ", "#", ",", "+", "=", "\\", "CN") });
    const type = fc.constantFrom(COMMON_NAME, DOMAIN_COMPONENT, "2.5.4.5");
    const names = fc.array(fc.tuple(type, value, fc.boolean()), { maxLength: 3 }).map((parts) => {
      let rdn = -1;
      return parts.map(([type, value, joined]) => {
        if (!joined || rdn < 0) rdn++;
        return { type, value, rdn };
      });
    });
    fc.assert(
      fc.property(names, names, (a, b) => {
        assert.equal(formatName(a) === formatName(b), JSON.stringify(a) === JSON.stringify(b));
      }),
      { numRuns: 2_000 },
    );
  });
});
