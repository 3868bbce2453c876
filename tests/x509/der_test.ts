/**
 * The DER reader: one reading for each encoding, one encoding for each value, and no way to hang.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Bytes } from "../../src/encoding.ts";
import { concat, hex } from "../../src/encoding.ts";
import { isKeyboundError } from "../../src/errors.ts";
import {
  type DerElement,
  match,
  MAX_DER_LENGTH,
  readBitString,
  readDer,
  readOid,
  readPositiveInteger,
} from "../../src/x509/der.ts";
import * as TAG from "../../src/x509/der_tags.ts";
import { encodeDer, sequence } from "../../src/x509/der_writer.ts";
import { assertCode, bytes } from "./support/assert.ts";

/** The tree as it would be written. */
function encodeTree({ tag, content, members }: DerElement): Bytes {
  return (tag & 0x20) === 0 ? encodeDer(tag, content) : encodeDer(tag, ...members.map(encodeTree));
}

/** The element under this tag alone, from hex. */
function element(tag: number, der: string): DerElement {
  return readDer(bytes(der), tag);
}

describe("readDer refuses", () => {
  const refused: readonly (readonly [reason: string, der: string])[] = [
    ["no bytes", ""],
    ["a tag without a length", "30"],
    ["a length without its content", "30 01"],
    ["a long length without its octets", "30 82"],
    ["a long length cut short", "30 82 01"],
    ["a long length cut short behind a large octet", "30 82 ff"],
    ["content cut short behind a long length", `30 81 80 ${"0500".repeat(63)}`],
    ["an indefinite length", "30 80 05 00 00 00"],
    ["a long form for a length below 128", "30 81 02 05 00"],
    ["a leading zero in a length", `30 82 00 80 ${"0500".repeat(64)}`],
    ["a padded length of four octets", "30 84 00 00 00 02 05 00"],
    ["a length of 127 octets", `30 ff ${"ff".repeat(127)}`],
    ["a length of four octets", "30 84 01 00 00 00 05 00"],
    ["a length of 4 GiB", "30 84 ff ff ff ff"],
    ["a byte behind the end", "30 00 00"],
    ["a second element behind the end", "30 00 30 00"],
    ["another type than asked for", "31 00"],
    ["a member longer than its sequence", "30 03 04 02 00"],
    ["a tag number of several octets", "30 04 1f 81 00 00"],
    ["a context tag number of several octets", "30 04 bf 81 00 00"],
    ["a tag number in a second octet that could be a length", "30 04 1f 02 01 00"],
    ["a context tag number in a second octet that could be a length", "30 04 9f 02 01 00"],
    ["the end-of-contents tag", "30 02 00 00"],
    ["a primitive SEQUENCE", "30 02 10 00"],
    ["a primitive SET", "30 02 11 00"],
    ["a constructed OCTET STRING", "30 05 24 03 04 01 00"],
    ["a constructed UTF8String", "30 02 2c 00"],
    ["an empty BOOLEAN", "30 02 01 00"],
    ["a BOOLEAN of two octets", "30 04 01 02 00 00"],
    ["a BOOLEAN that is true by another value", "30 03 01 01 01"],
    ["an empty INTEGER", "30 02 02 00"],
    ["a positive INTEGER with a needless zero", "30 04 02 02 00 7f"],
    ["a negative INTEGER with a needless 0xff", "30 04 02 02 ff 80"],
    ["an ENUMERATED with a needless zero", "30 04 0a 02 00 01"],
    ["a BIT STRING without its count of unused bits", "30 02 03 00"],
    ["a BIT STRING with 8 unused bits", "30 04 03 02 08 00"],
    ["an empty BIT STRING with unused bits", "30 03 03 01 01"],
    ["a BIT STRING whose unused bits are set", "30 04 03 02 01 01"],
    ["a NULL with content", "30 03 05 01 00"],
    ["an empty OBJECT IDENTIFIER", "30 02 06 00"],
    ["an OBJECT IDENTIFIER that stops within an arc", "30 04 06 02 2a 86"],
    ["an OBJECT IDENTIFIER that stops within an arc at a zero digit", "30 05 06 03 2a 81 80"],
    ["an OBJECT IDENTIFIER with a padded first arc", "30 04 06 02 80 2a"],
    ["an OBJECT IDENTIFIER with a padded later arc", "30 05 06 03 2a 80 01"],
  ];
  for (const [reason, der] of refused) {
    it(reason, () => assertCode(() => readDer(bytes(der)), "invalid_der"));
  }

  it("nesting deeper than 16, and takes 16", () => {
    const nested = (depth: number): Bytes => {
      let der = bytes("05 00");
      for (let i = 0; i < depth; i++) der = sequence(der);
      return der;
    };
    assertCode(() => readDer(nested(17)), "invalid_der");
    assert.equal(readDer(nested(16)).members.length, 1);
  });

  it("more than 64 KiB, and takes 64 KiB", () => {
    const filled = (length: number) => encodeDer(TAG.OCTET_STRING, new Uint8Array(length - 4));
    assert.equal(filled(MAX_DER_LENGTH).length, MAX_DER_LENGTH);
    assertCode(() => readDer(filled(MAX_DER_LENGTH + 1), TAG.OCTET_STRING), "invalid_der");
    assert.equal(readDer(filled(MAX_DER_LENGTH), TAG.OCTET_STRING).content.length, 65_532);
  });
});

describe("readDer does not hang on", () => {
  const bombs: readonly (readonly [what: string, der: Bytes])[] = [
    ["openings without end", new Uint8Array(MAX_DER_LENGTH).fill(0x30)],
    ["indefinite openings without end", concat(...Array(32_768).fill(bytes("30 80")))],
    ["huge lengths in a row", concat(...Array(10_000).fill(bytes("30 84 ff ff ff ff")))],
    ["32 thousand empty members", sequence(...Array(32_000).fill(bytes("30 00")))],
    ["32 thousand empty members 15 deep", deepAndWide()],
    ["an object identifier of 64 KB", sequence(encodeDer(0x06, longOid()))],
  ];
  for (const [what, der] of bombs) {
    it(what, () => {
      const start = performance.now();
      try {
        readDer(der);
      } catch (error) {
        assert.ok(isKeyboundError(error, "invalid_der"));
      }
      assert.ok(performance.now() - start < 5_000);
    });
  }

  function deepAndWide(): Bytes {
    let der: Bytes = sequence(...Array(32_000).fill(bytes("05 00")));
    for (let i = 0; i < 15; i++) der = sequence(der);
    return der;
  }

  function longOid(): Bytes {
    const content = new Uint8Array(65_000).fill(0xff);
    content[content.length - 1] = 0x7f;
    return content;
  }
});

describe("readDer reads", () => {
  it("the parts of an element", () => {
    const read = element(TAG.SEQUENCE, "30 08 02 01 05 a1 03 0c 01 61");
    const [number, tagged] = match(read.members, [TAG.INTEGER, 0xa1]);
    assert.equal(hex(number.content), "05");
    assert.equal(hex(number.encoding), "020105");
    assert.deepEqual(number.members, []);
    assert.equal(hex(tagged.members[0]!.encoding), "0c0161");
    assert.equal(hex(read.content), "020105a1030c0161");
  });

  const accepted: readonly (readonly [what: string, tag: number, der: string])[] = [
    ["an empty SEQUENCE", TAG.SEQUENCE, "30 00"],
    ["an empty SET", TAG.SET, "31 00"],
    ["false", TAG.BOOLEAN, "01 01 00"],
    ["true", TAG.BOOLEAN, "01 01 ff"],
    ["zero", TAG.INTEGER, "02 01 00"],
    ["a sign octet that is needed", TAG.INTEGER, "02 02 00 80"],
    ["minus one", TAG.INTEGER, "02 01 ff"],
    ["a negative number of two octets", TAG.INTEGER, "02 02 ff 7f"],
    ["an empty BIT STRING", TAG.BIT_STRING, "03 01 00"],
    ["a BIT STRING of one bit", TAG.BIT_STRING, "03 02 07 80"],
    ["a BIT STRING of seven bits, all zero", TAG.BIT_STRING, "03 02 01 00"],
    ["an arc of two octets that ends in zero", TAG.OBJECT_IDENTIFIER, "06 03 2a 81 00"],
    ["an arc with a zero digit in its middle", TAG.OBJECT_IDENTIFIER, "06 04 2a 81 80 00"],
    ["the first application tag", 0x40, "40 00"],
    ["a primitive context tag", 0x80, "80 01 00"],
    ["a length of 128", TAG.OCTET_STRING, `04 81 80 ${"00".repeat(128)}`],
    ["a length of 256", TAG.OCTET_STRING, `04 82 01 00 ${"00".repeat(256)}`],
  ];
  for (const [what, tag, der] of accepted) {
    it(what, () => assert.deepEqual(encodeTree(element(tag, der)), bytes(der)));
  }

  it("every tree that is written, back as it was", () => {
    const { tree } = fc.letrec<{ tree: Bytes }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 5 },
        fc.uint8Array({ maxLength: 300 }).map((content) => encodeDer(TAG.OCTET_STRING, content)),
        fc.constantFrom(TAG.SEQUENCE, TAG.SET, 0xa0, 0xa3, 0x60).chain((tag) =>
          fc.array(tie("tree"), { maxLength: 5 }).map((parts) => encodeDer(tag, ...parts))
        ),
      ),
    }));
    fc.assert(
      fc.property(tree, (der) => assert.deepEqual(encodeTree(readDer(der, der[0]!)), der)),
      { numRuns: 300 },
    );
  });

  it("no bytes that it would write differently", () => {
    const header = fc.tuple(
      fc.constantFrom(...Object.values(TAG), 0x80, 0xa0, 0x1f, 0x00),
      fc.constantFrom(0, 1, 2, 3, 4, 0x80, 0x81, 0x82),
    );
    const soup = fc.array(fc.oneof(header, fc.tuple(fc.nat(255))), { maxLength: 8 });
    let accepted = 0;
    fc.assert(
      fc.property(soup, (parts) => {
        const der = sequence(Uint8Array.from(parts.flat()));
        let tree: DerElement;
        try {
          tree = readDer(der);
        } catch (error) {
          assert.ok(isKeyboundError(error, "invalid_der"));
          return;
        }
        accepted++;
        assert.deepEqual(encodeTree(tree), der);
      }),
      { numRuns: 2_000 },
    );
    assert.ok(accepted > 30, `only ${accepted} accepted: the property says little`);
  });
});

describe("match", () => {
  const pair = element(TAG.SEQUENCE, "30 05 02 01 01 05 00").members;

  it("refuses a missing, a superfluous and a different field", () => {
    assertCode(() => match(pair, [TAG.INTEGER, TAG.NULL, TAG.NULL]), "invalid_der");
    assertCode(() => match(pair, [TAG.INTEGER]), "invalid_der");
    assertCode(() => match(pair, [TAG.INTEGER, TAG.INTEGER]), "invalid_der");
  });

  it("takes any type where none is named", () => {
    assert.equal(match(pair, [TAG.INTEGER, undefined])[1].tag, TAG.NULL);
  });
});

describe("readOid", () => {
  it("refuses more than 64 octets", () => {
    const oid = (length: number) =>
      element(0x06, `06 ${length.toString(16)} ${"01".repeat(length)}`);
    assertCode(() => readOid(oid(65)), "invalid_der");
    assert.equal(readOid(oid(64)).split(".").length, 65);
  });

  const known: readonly (readonly [der: string, dotted: string])[] = [
    ["06 01 00", "0.0"],
    ["06 01 27", "0.39"],
    ["06 01 28", "1.0"],
    ["06 01 4f", "1.39"],
    ["06 01 50", "2.0"],
    ["06 03 55 04 03", "2.5.4.3"],
    ["06 03 88 37 03", "2.999.3"],
    ["06 09 2a 86 48 86 f7 0d 01 01 0a", "1.2.840.113549.1.1.10"],
    // The largest arc of a UUID, 2.25.(2^128 - 1).
    [`06 14 69 83 ${"ff".repeat(17)} 7f`, "2.25.340282366920938463463374607431768211455"],
  ];
  for (const [der, dotted] of known) {
    it(`reads ${dotted}`, () => assert.equal(readOid(element(TAG.OBJECT_IDENTIFIER, der)), dotted));
  }
});

describe("readBitString and readPositiveInteger", () => {
  it("refuse bits that fill no octet", () => {
    assertCode(() => readBitString(element(TAG.BIT_STRING, "03 02 01 80")), "invalid_der");
  });

  it("refuse zero and negative numbers", () => {
    for (const der of ["02 01 00", "02 01 80", "02 02 ff 7f"]) {
      assertCode(() => readPositiveInteger(element(TAG.INTEGER, der)), "invalid_der");
    }
  });

  it("give the octets without count and sign", () => {
    assert.equal(hex(readBitString(element(TAG.BIT_STRING, "03 02 00 a5"))), "a5");
    assert.equal(readBitString(element(TAG.BIT_STRING, "03 01 00")).length, 0);
    assert.equal(hex(readPositiveInteger(element(TAG.INTEGER, "02 02 00 80"))), "80");
    assert.equal(hex(readPositiveInteger(element(TAG.INTEGER, "02 01 7f"))), "7f");
  });
});
