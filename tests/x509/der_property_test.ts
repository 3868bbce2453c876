/**
 * What holds for every value in DER: it has one encoding, and an encoding has one value.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Bytes, concat, hex } from "../../src/encoding.ts";
import { isKeyboundError } from "../../src/errors.ts";
import {
  type DerElement,
  MAX_DER_LENGTH,
  readBitString,
  readDer,
  readOid,
  readPositiveInteger,
} from "../../src/x509/der.ts";
import * as TAG from "../../src/x509/der_tags.ts";
import {
  bitString,
  context,
  encodeDer,
  integer,
  nullValue,
  oid,
  sequence,
  setOf,
  utf8String,
} from "../../src/x509/der_writer.ts";
import { formatName, type Name, parseName } from "../../src/x509/name.ts";
import { publicKeyAlgorithm } from "../../src/x509/public_key.ts";
import { attributeOf, nameOf, P256_SPKI } from "./support/certificates.ts";

/** A value, and its encoding. */
interface Value {
  readonly meaning: string;
  readonly der: Bytes;
}

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => array.slice());
const arc = fc.bigInt({ min: 0n, max: 1n << 70n });
const dotted = fc.tuple(fc.nat(39), fc.array(arc, { maxLength: 4 })).map(([second, arcs]) =>
  ["1", second, ...arcs].join(".")
);

/** Any but halves of surrogate pairs, which have no UTF-8. */
const letter = fc.oneof(fc.nat(0xd7ff), fc.integer({ min: 0xe000, max: 0x10ffff }))
  .map((code) => String.fromCodePoint(code));

const primitive: fc.Arbitrary<Value> = fc.oneof(
  bytes(4).map((octets) => ({
    meaning: `integer ${BigInt(`0x0${hex(octets)}`)}`,
    der: integer(octets),
  })),
  bytes(4).map((octets) => ({ meaning: `bits ${hex(octets)}`, der: bitString(octets) })),
  dotted.map((text) => ({ meaning: `oid ${text}`, der: oid(text) })),
  fc.string({ unit: letter, maxLength: 4 }).map((text) => ({
    meaning: `text ${JSON.stringify(text)}`,
    der: utf8String(text),
  })),
  fc.constant({ meaning: "null", der: nullValue() }),
);
const { value } = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    primitive,
    fc.tuple(fc.constantFrom("sequence", "set", "0", "3"), fc.array(tie("value"), { maxLength: 3 }))
      .map(([kind, members]) => ({
        meaning: `${kind} (${members.map(({ meaning }) => meaning).join(", ")})`,
        der: written(kind, members.map(({ der }) => der)),
      })),
  ),
}));

function written(kind: string, members: readonly Bytes[]): Bytes {
  if (kind === "sequence") return sequence(...members);
  return kind === "set" ? setOf(...members) : context(Number(kind), ...members);
}

/** The element, or `undefined` where it is refused. */
function read(der: Bytes): DerElement | undefined {
  try {
    return readDer(der, der[0]);
  } catch (error) {
    if (isKeyboundError(error, "invalid_der")) return undefined;
    throw error;
  }
}

describe("any two values", () => {
  it("have one encoding if they are one, else two", () => {
    fc.assert(fc.property(value, value, (a, b) => {
      assert.equal(hex(a.der) === hex(b.der), a.meaning === b.meaning);
    }));
  });

  it("one after the other aren't one, and neither is a part of one", () => {
    fc.assert(fc.property(value, value, fc.nat(), (a, b, at) => {
      assert.notEqual(read(a.der), undefined);
      assert.equal(read(concat(a.der, b.der)), undefined);
      assert.equal(read(a.der.slice(0, at % a.der.length)), undefined);
      assert.equal(read(concat(a.der, Uint8Array.of(at))), undefined);
    }));
  });
});

describe("any encoding with one bit changed", () => {
  it("is refused, or says something else that is written just so", () => {
    fc.assert(fc.property(value, fc.nat(), ({ der }, at) => {
      const changed = der.slice();
      const bit = at % (8 * der.length);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      const element = read(changed);
      if (element !== undefined) assert.equal(hex(rewritten(element)), hex(changed));
    }));
  });

  function rewritten({ tag, content, members }: DerElement): Bytes {
    return (tag & 0x20) === 0 ? encodeDer(tag, content) : encodeDer(tag, ...members.map(rewritten));
  }
});

describe("any length of content", () => {
  it("up to 64 KiB is written in the fewest octets and read again", () => {
    const lengths = fc.oneof(
      fc.constantFrom(0, 1, 0x7f, 0x80, 0xff, 0x100, MAX_DER_LENGTH - 4),
      fc.nat(MAX_DER_LENGTH - 4),
    );
    fc.assert(
      fc.property(lengths, (length) => {
        const der = encodeDer(TAG.OCTET_STRING, new Uint8Array(length));
        assert.equal(der.length, length + (length < 0x80 ? 2 : length < 0x100 ? 3 : 4));
        assert.equal(read(der)?.content.length, length);
      }),
      { numRuns: 50 },
    );
  });
});

describe("what is written", () => {
  it("as a number above 0, octets or an object identifier is read as it was", () => {
    const magnitude = bytes(40).filter((octets) => octets.some((octet) => octet !== 0));
    fc.assert(fc.property(magnitude, bytes(40), dotted, (number, octets, text) => {
      const [a, b, c] = readDer(sequence(integer(number), bitString(octets), oid(text))).members;
      assert.equal(hex(readPositiveInteger(a!)), hex(number).replace(/^(?:00)+/, ""));
      assert.equal(hex(readBitString(b!)), hex(octets));
      assert.equal(readOid(c!), text);
    }));
  });

  it("as a name is read as it was, and two names never print alike", () => {
    const text = fc.string({
      unit: fc.constantFrom("a", " ", "#", ",", "+", "=", "\\", '"', ";", "<", "é", "CN="),
      maxLength: 5,
    });
    const type = fc.constantFrom("2.5.4.3", "0.9.2342.19200300.100.1.25", "1.2.3");
    const name = fc.array(fc.tuple(type, text), { maxLength: 3 }).map((pairs): [Name, Bytes] => [
      pairs.map(([each, value], rdn) => ({ type: each, value, rdn })),
      nameOf(...pairs.map(([each, value]) => attributeOf(each, utf8String(value)))),
    ]);
    fc.assert(fc.property(name, name, ([a, aDer], [b, bDer]) => {
      assert.deepEqual(parseName(aDer), a);
      assert.equal(formatName(a) === formatName(b), hex(aDer) === hex(bDer));
    }));
  });
});

describe("any public key", () => {
  const RSA = sequence(oid("1.2.840.113549.1.1.1"), nullValue());

  it("of RSA has as many bits as its modulus, and the exponent it was written with", () => {
    const modulus = fc.bigInt({ min: 1n, max: (1n << 300n) - 1n });
    const exponent = fc.integer({ min: 1, max: 2 ** 31 - 1 }).map((half) => 2 * half + 1);
    fc.assert(fc.property(modulus, exponent, (n, e) => {
      const key = sequence(integer(octetsOf(n)), integer(octetsOf(BigInt(e))));
      assert.deepEqual(publicKeyAlgorithm(sequence(RSA, bitString(key))), {
        type: "rsa",
        modulusBits: n.toString(2).length,
        exponent: e,
      });
    }));
  });

  it("on a curve is refused with any other length of its point", () => {
    fc.assert(fc.property(fc.nat(140), (length) => {
      const [algorithm] = readDer(P256_SPKI).members;
      const point = new Uint8Array(length).fill(4);
      const spki = sequence(algorithm!.encoding, bitString(point));
      if (length === 65) assert.equal(publicKeyAlgorithm(spki).type, "ec");
      else assert.throws(() => publicKeyAlgorithm(spki), (error) => isKeyboundError(error));
    }));
  });

  function octetsOf(number: bigint): Bytes {
    const digits = number.toString(16);
    const pairs = digits.padStart(digits.length + (digits.length % 2), "0").match(/../g)!;
    return Uint8Array.from(pairs, (pair) => parseInt(pair, 16));
  }
});
