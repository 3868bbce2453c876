/**
 * The reader of DER.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type Bytes, concat, equalBytes } from "../../../src/encoding.ts";
import { type DerElement, MAX_DER_LENGTH, readDer, readOid } from "../../../src/x509/der.ts";
import * as TAG from "../../../src/x509/der_tags.ts";
import { encodeDer } from "../../../src/x509/der_writer.ts";
import { readOrRefuse } from "../support/entry.ts";

/** What is read is the whole input and is written back as it was. */
export function fuzz(data: Uint8Array): void {
  const der = new Uint8Array(data);
  const root = readOrRefuse(["invalid_der"], () => readDer(der, der[0]));
  if (root === undefined) return;
  assert.ok(der.length <= MAX_DER_LENGTH, "longer than is allowed");
  assert.ok(equalBytes(encoded(root), der), "written otherwise than it was read");
  visit(root, 0);
}

/** Strings of tags and lengths. */
export const tokens: readonly string[] = [
  "0\x03",
  "0\x81\x80",
  "\x02\x01\x01",
  "\x06\x03U\x04\x03",
];

function encoded({ tag, content, members }: DerElement): Bytes {
  return (tag & 0x20) === 0 ? encodeDer(tag, content) : encodeDer(tag, ...members.map(encoded));
}

function visit(element: DerElement, depth: number): void {
  assert.ok(depth <= 16, "nested deeper than is allowed");
  if (element.tag === TAG.OBJECT_IDENTIFIER) {
    const dotted = readOrRefuse(["invalid_der"], () => readOid(element));
    if (dotted !== undefined) assert.match(dotted, /^[0-2](?:\.(?:0|[1-9]\d*))+$/);
  }
  const { content, members } = element;
  if ((element.tag & 0x20) !== 0) {
    assert.ok(equalBytes(concat(...members.map(({ encoding }) => encoding)), content));
  }
  for (const member of members) visit(member, depth + 1);
}
