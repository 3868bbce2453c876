/**
 * C structs as data.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { layout, type Platform } from "../../backends/ffi/mod.ts";
import { hex } from "../../src/encoding.ts";

const LINUX: Platform = { pointer: 8, long: 8 };
const WINDOWS: Platform = { pointer: 8, long: 4 };
const SMALL: Platform = { pointer: 4, long: 4 };

describe("layout", () => {
  const attribute = { type: "ulong", value: "address", length: "ulong" } as const;

  it("refuses a value that its field can't hold", () => {
    const { encode } = layout({ one: "u8", two: "i32", three: { bytes: 2 } }, LINUX);
    assert.throws(() => encode({ one: 256 }), RangeError);
    assert.throws(() => encode({ one: -129 }), RangeError);
    assert.throws(() => encode({ two: 2 ** 32 }), RangeError);
    assert.throws(() => encode({ three: new Uint8Array(3) }), RangeError);
  });

  it("refuses to read a struct that isn't all there", () => {
    const { decode } = layout({ one: "u64" }, LINUX);
    assert.throws(() => decode(new Uint8Array(7)), RangeError);
    assert.throws(() => decode(new Uint8Array(8), 1), RangeError);
    assert.throws(() => decode(new Uint8Array(8), -1), RangeError);
  });

  it("aligns fields and the whole as C does", () => {
    const { offsets, size } = layout({ a: "u8", b: "u64", c: "u16", d: "i32", e: "u8" }, LINUX);
    assert.deepEqual(offsets, { a: 0, b: 8, c: 16, d: 20, e: 24 });
    assert.equal(size, 32);
    assert.deepEqual(layout({ a: { bytes: 3 }, b: "u16", c: { bytes: 1 } }, LINUX).offsets, {
      a: 0,
      b: 4,
      c: 6,
    });
  });

  it("follows the platform's sizes and a pragma pack", () => {
    const sizes = (platform: Platform, pack?: 1) =>
      layout(attribute, platform, pack === undefined ? {} : { pack });
    assert.equal(sizes(LINUX).size, 24);
    assert.equal(sizes(WINDOWS).size, 24);
    assert.equal(sizes(WINDOWS, 1).size, 16);
    assert.deepEqual(sizes(WINDOWS, 1).offsets, { type: 0, value: 4, length: 12 });
    assert.equal(sizes(SMALL).size, 12);
  });

  it("writes little-endian, and zeros where nothing is said", () => {
    const { encode } = layout({ a: "u16", b: "i32", c: "i64", d: { bytes: 3 } }, LINUX);
    const bytes = encode({ a: 0x0102, c: -2n, d: Uint8Array.of(9) });
    assert.equal(hex(bytes), "0201000000000000feffffffffffffff0900000000000000");
  });

  it("reads what it wrote, signs and top bits included", () => {
    const struct = layout(
      { a: "u8", b: "u16", c: "i32", d: "u32", e: "i64", f: "u64", g: "long", h: "ulong" },
      LINUX,
    );
    const value = {
      a: 255,
      b: 65_535,
      c: -1,
      d: 4_294_967_295,
      e: -(2n ** 63n),
      f: 2n ** 64n - 1n,
      g: -5n,
      h: 2n ** 63n,
    };
    assert.deepEqual(struct.decode(struct.encode(value)), value);
  });

  it("reads and writes arrays", () => {
    const struct = layout({ id: "i32", function: "address" }, LINUX);
    const bytes = struct.encodeAll([{ id: 1, function: 2n }, { id: 3, function: 4n }, {}]);
    assert.equal(bytes.length, 48);
    assert.deepEqual(struct.decode(bytes, 16), { id: 3, function: 4n });
    assert.deepEqual(struct.decode(bytes, 32), { id: 0, function: 0n });
  });

  it("copies what it reads", () => {
    const struct = layout({ text: { bytes: 4 } }, LINUX);
    const bytes = Uint8Array.of(1, 2, 3, 4);
    const { text } = struct.decode(bytes);
    bytes.fill(0);
    assert.deepEqual([...text], [1, 2, 3, 4]);
  });
});
