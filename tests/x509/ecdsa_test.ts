/**
 * ECDSA signatures between DER and P1363.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { hex } from "../../src/encoding.ts";
import { isKeyboundError } from "../../src/errors.ts";
import { ecdsaSignatureFromDer, ecdsaSignatureToDer } from "../../src/x509/ecdsa.ts";
import { assertCode, bytes } from "./support/assert.ts";

describe("ecdsaSignatureFromDer refuses", () => {
  const refused: readonly (readonly [reason: string, der: string])[] = [
    ["no bytes", ""],
    ["P1363", "00".repeat(64)],
    ["an empty sequence", "30 00"],
    ["one number", "30 03 02 01 01"],
    ["three numbers", "30 09 02 01 01 02 01 01 02 01 01"],
    ["something behind it", "30 06 02 01 01 02 01 01 00"],
    ["a SET", "31 06 02 01 01 02 01 01"],
    ["other types", "30 06 04 01 01 04 01 01"],
    ["r of zero", "30 06 02 01 00 02 01 01"],
    ["s of zero", "30 06 02 01 01 02 01 00"],
    ["a negative r", "30 06 02 01 80 02 01 01"],
    ["a negative s", "30 06 02 01 01 02 01 ff"],
    ["a padded r", "30 07 02 02 00 01 02 01 01"],
    ["an indefinite length", "30 80 02 01 01 02 01 01 00 00"],
    ["a number of 33 bytes", `30 26 02 21 01 ${"00".repeat(32)} 02 01 01`],
  ];
  for (const [reason, der] of refused) {
    it(reason, () => assertCode(() => ecdsaSignatureFromDer(bytes(der), 32), "invalid_der"));
  }
});

describe("ecdsaSignatureToDer refuses", () => {
  for (const length of [0, 1, 63]) {
    it(`${length} bytes`, () => {
      assertCode(() => ecdsaSignatureToDer(new Uint8Array(length)), "invalid_argument");
    });
  }
});

describe("an ECDSA signature", () => {
  const pairs: readonly (readonly [size: number, p1363: string, der: string])[] = [
    [2, "0001 007f", "30 06 02 01 01 02 01 7f"],
    [2, "0080 8000", "30 09 02 02 00 80 02 03 00 80 00"],
    [1, "ff 01", "30 07 02 02 00 ff 02 01 01"],
    [
      66,
      `01${"ff".repeat(65)} 00${"ff".repeat(65)}`,
      `30 81 88 02 42 01 ${"ff".repeat(65)} 02 42 00 ${"ff".repeat(65)}`,
    ],
  ];
  for (const [size, p1363, der] of pairs) {
    it(`of ${size} bytes a number has one DER and one P1363 form`, () => {
      assert.equal(hex(ecdsaSignatureToDer(bytes(p1363))), hex(bytes(der)));
      assert.equal(hex(ecdsaSignatureFromDer(bytes(der), size)), hex(bytes(p1363)));
    });
  }

  it("comes back from DER as it was", () => {
    for (const size of [32, 48, 66]) {
      const half = fc.uint8Array({ minLength: size, maxLength: size }).filter((n) =>
        n.some(Boolean)
      );
      fc.assert(fc.property(half, half, (r, s) => {
        const p1363 = Uint8Array.from([...r, ...s]);
        assert.deepEqual(ecdsaSignatureFromDer(ecdsaSignatureToDer(p1363), size), p1363);
      }));
    }
  });

  it("has no second DER form that is read", () => {
    const byte = fc.oneof(fc.constantFrom(0x00, 0x02, 0x30, 0x80, 0xff), fc.nat(255));
    const valid = bytes("30 07 02 02 00 ff 02 01 01");
    const edits = fc.array(
      fc.tuple(fc.nat(valid.length), fc.nat(1), fc.array(byte, { maxLength: 1 })),
      {
        minLength: 1,
        maxLength: 3,
      },
    );
    fc.assert(
      fc.property(edits, (list) => {
        const mutated = [...valid];
        for (const [at, drop, put] of list) mutated.splice(at, drop, ...put);
        const der = Uint8Array.from(mutated);
        try {
          assert.deepEqual(ecdsaSignatureToDer(ecdsaSignatureFromDer(der, 32)), der);
        } catch (error) {
          if (!isKeyboundError(error, "invalid_der")) throw error;
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
