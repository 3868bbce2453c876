/**
 * A strict reader of DER (ITU-T X.690).
 *
 * @module
 */

import type { Bytes } from "../encoding.ts";
import { KeyboundError } from "../errors.ts";
import * as TAG from "./der_tags.ts";

/** Longest encoding that {@linkcode readDer} takes, bytes. */
export const MAX_DER_LENGTH = 65_536;

/** Deepest nesting that is read; a certificate needs 7. */
const MAX_DEPTH = 16;

const CONSTRUCTED = 0x20;

/** One encoded value. The byte fields are views on the input of {@linkcode readDer}. */
export interface DerElement {
  /** Identifier octet, class and constructed bit included: `0x30` for a SEQUENCE. */
  readonly tag: number;
  /** The content octets. */
  readonly content: Bytes;
  /** Identifier, length and content octets. */
  readonly encoding: Bytes;
  /** The elements inside a constructed one; empty for a primitive one. */
  readonly members: readonly DerElement[];
}

/** The error for an encoding that isn't DER, or isn't what it should be. */
export function invalidDer(reason: string): KeyboundError {
  return new KeyboundError("invalid_der", `Not the DER expected: ${reason}.`);
}

/**
 * The element that is all of `bytes`, read to the last leaf: definite minimal lengths, tag numbers
 * below 31, primitive or constructed as the type demands, and minimal BOOLEAN, INTEGER,
 * BIT STRING, NULL and OBJECT IDENTIFIER contents. The order of a SET OF and encoded DEFAULT values
 * are let pass: they make nothing ambiguous, and issuers get them wrong.
 *
 * Throws `invalid_der` for anything else, for a root whose tag isn't `tag`, for more than 64 KiB
 * and for nesting deeper than 16.
 */
export function readDer(bytes: Bytes, tag: number = TAG.SEQUENCE): DerElement {
  if (bytes.length > MAX_DER_LENGTH) throw invalidDer("more than 64 KiB");
  const elements = readElements(bytes, 0);
  return match(elements, [tag])[0];
}

/**
 * `elements`, once there are as many as `tags` and each has its tag; `undefined` takes any.
 *
 * Throws `invalid_der` where they differ.
 */
export function match<const Tags extends readonly (number | undefined)[]>(
  elements: readonly DerElement[],
  tags: Tags,
): { readonly [Index in keyof Tags]: DerElement } {
  if (
    elements.length !== tags.length ||
    !elements.every(({ tag }, index) => tag === (tags[index] ?? tag))
  ) {
    throw invalidDer("other fields than expected");
  }
  return elements as { readonly [Index in keyof Tags]: DerElement };
}

function readElements(bytes: Bytes, depth: number): readonly DerElement[] {
  if (depth > MAX_DEPTH) throw invalidDer("nested too deep");
  const elements: DerElement[] = [];
  for (let rest = bytes; rest.length > 0;) {
    const element = readElement(rest, depth);
    elements.push(element);
    rest = rest.subarray(element.encoding.length);
  }
  return elements;
}

function readElement(bytes: Bytes, depth: number): DerElement {
  const [tag, first] = bytes;
  if (tag === undefined || first === undefined) throw invalidDer("cut short");
  let start = 2;
  let length = first;
  if (first > 0x7f) {
    start += first & 0x7f;
    length = bytes.subarray(2, start).reduce((value, octet) => value * 256 + octet, 0);
    // 0x80, BER's indefinite form, counts as 0 here and so as too short for the long form.
    if (length < 0x80 || bytes[2] === 0) throw invalidDer("a bad length");
  }
  const end = start + length;
  if (end > bytes.length) throw invalidDer("cut short");
  const content = bytes.subarray(start, end);
  if (!isTag(tag) || !isMinimal(tag, content)) throw invalidDer("a bad type or value");
  return {
    tag,
    content,
    encoding: bytes.subarray(0, end),
    members: (tag & CONSTRUCTED) === 0 ? [] : readElements(content, depth + 1),
  };
}

function isTag(tag: number): boolean {
  const number = tag & 0x1f;
  if (number === 0x1f) return false;
  const universal = tag < 0x40;
  const nests = number === 0x10 || number === 0x11;
  return !universal || (number !== 0 && nests === ((tag & CONSTRUCTED) !== 0));
}

function isMinimal(tag: number, content: Bytes): boolean {
  const [first = -1, second = -1] = content;
  switch (tag) {
    case TAG.BOOLEAN:
      return content.length === 1 && (first === 0 || first === 0xff);
    case TAG.INTEGER:
    case TAG.ENUMERATED:
      return first >= 0 && !(first === 0 && second >= 0 && second < 0x80) &&
        !(first === 0xff && second >= 0x80);
    case TAG.BIT_STRING:
      return first >= 0 && first < 8 && (first === 0 || second >= 0) &&
        (content.at(-1)! & ((1 << first) - 1)) === 0;
    case TAG.NULL:
      return first < 0;
    case TAG.OBJECT_IDENTIFIER:
      return first >= 0 && content.at(-1)! < 0x80 &&
        content.every((octet, index) => octet !== 0x80 || (content[index - 1] ?? 0) >= 0x80);
    default:
      return true;
  }
}

/**
 * The dotted form of an OBJECT IDENTIFIER, arcs of any size.
 *
 * Throws `invalid_der` for one of more than 64 octets.
 */
export function readOid({ content }: DerElement): string {
  if (content.length > 64) throw invalidDer("an object identifier of more than 64 octets");
  const arcs: bigint[] = [];
  let arc = 0n;
  for (const octet of content) {
    arc = (arc << 7n) | BigInt(octet & 0x7f);
    if (octet < 0x80) {
      if (arcs.length === 0) {
        const root = arc < 40n ? 0n : arc < 80n ? 1n : 2n;
        arcs.push(root);
        arc -= root * 40n;
      }
      arcs.push(arc);
      arc = 0n;
    }
  }
  return arcs.join(".");
}

/** The octets of a BIT STRING; throws `invalid_der` where its last octet isn't whole. */
export function readBitString({ content }: DerElement): Bytes {
  if (content[0] !== 0) throw invalidDer("a bit string of odd length");
  return content.subarray(1);
}

/** The magnitude of an INTEGER, without leading zeros; throws `invalid_der` below 1. */
export function readPositiveInteger({ content }: DerElement): Bytes {
  const magnitude = content[0] === 0 ? content.subarray(1) : content;
  if (content[0]! > 0x7f || magnitude.length === 0) throw invalidDer("an integer below 1");
  return magnitude;
}
