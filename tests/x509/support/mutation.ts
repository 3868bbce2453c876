/**
 * Damage to valid encodings, for fuzzing.
 *
 * @module
 */

import fc from "fast-check";
import { type Bytes, concat } from "../../../src/encoding.ts";
import { type DerElement, readDer } from "../../../src/x509/der.ts";
import { encodeDer } from "../../../src/x509/der_writer.ts";

/** Octets that mean something in DER, in times and in text. */
const TELLING = [0, 1, 2, 3, 6, 0x0c, 0x13, 0x17, 0x18, 0x1e, 0x30, 0x31, 0x5a, 0x80, 0xa0, 0xff];

/** Octets put in place of `drop` others at `at`, a fraction of the length. */
interface Edit {
  readonly at: number;
  readonly drop: number;
  readonly put: readonly number[];
}

const octet = fc.oneof(fc.nat(255), fc.constantFrom(...TELLING));
const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const overwrite = fc.tuple(fraction, octet).map(([at, put]): Edit => ({ at, drop: 1, put: [put] }));
const splice: fc.Arbitrary<Edit> = fc.record({
  at: fraction,
  drop: fc.nat(3),
  put: fc.array(octet, { maxLength: 3 }),
});

function apply(original: Uint8Array, { at, drop, put }: Edit): Bytes {
  const octets = [...original];
  octets.splice(Math.floor(at * octets.length), drop, ...put);
  return Uint8Array.from(octets);
}

/** One of `originals`, octets overwritten, cut out or put in: most lengths no longer fit. */
export function damagedBytes(originals: readonly Bytes[]): fc.Arbitrary<Bytes> {
  const edits = fc.array(fc.oneof(overwrite, overwrite, splice), { minLength: 1, maxLength: 3 });
  return fc.tuple(fc.constantFrom(...originals), edits).map(([original, list]) =>
    list.reduce(apply, original)
  );
}

/**
 * One of `originals`, an element of it left out, doubled, given another tag or other content, and
 * all lengths around it made to fit.
 */
export function damagedTree(originals: readonly Bytes[]): fc.Arbitrary<Bytes> {
  const operation = fc.oneof(
    fc.constant(() => []),
    fc.constant((element: DerElement) => [element.encoding, element.encoding]),
    octet.map((tag) => (element: DerElement) => [encodeDer(tag, element.content)]),
    fc.oneof(overwrite, splice).map((edit) => (element: DerElement) => [
      encodeDer(element.tag, apply(element.content, edit)),
    ]),
  );
  return fc.tuple(fc.constantFrom(...originals), fraction, operation).map(
    ([original, at, change]) => {
      const root = readDer(original);
      const target = Math.floor(at * count(root));
      let index = 0;
      const rewrite = (element: DerElement): Bytes => {
        if (index++ === target) {
          index += count(element) - 1;
          return concat(...change(element));
        }
        if (element.members.length === 0) return element.encoding;
        return encodeDer(element.tag, ...element.members.map(rewrite));
      };
      return rewrite(root);
    },
  );
}

function count(element: DerElement): number {
  return element.members.reduce((sum, member) => sum + count(member), 1);
}
