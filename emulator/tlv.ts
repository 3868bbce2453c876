/**
 * The outermost layers of DER, enough to tell a well-formed request from a sloppy one.
 *
 * @module
 */

/** One tag-length-value element. */
export interface Tlv {
  /** Identifier octet. */
  readonly tag: number;
  /** Content octets. */
  readonly content: Uint8Array<ArrayBuffer>;
  /** The whole element, identifier and length included. */
  readonly raw: Uint8Array<ArrayBuffer>;
}

/** The elements that `bytes` consist of; `undefined` unless they are DER to the last byte. */
export function readAll(bytes: Uint8Array<ArrayBuffer>): Tlv[] | undefined {
  const elements: Tlv[] = [];
  for (let at = 0; at < bytes.length;) {
    const element = readOne(bytes, at);
    if (element === undefined) return undefined;
    elements.push(element);
    at += element.raw.length;
  }
  return elements;
}

/** The children of the one element of this tag that `bytes` consist of. */
export function readInside(tag: number, bytes: Uint8Array<ArrayBuffer>): Tlv[] | undefined {
  const elements = readAll(bytes);
  const [only] = elements ?? [];
  if (only === undefined || elements!.length !== 1 || only.tag !== tag) return undefined;
  return readAll(only.content);
}

function readOne(bytes: Uint8Array<ArrayBuffer>, at: number): Tlv | undefined {
  const tag = bytes[at]!;
  const first = bytes[at + 1];
  if (first === undefined) return undefined;
  let length = first;
  let start = at + 2;
  if (first >= 0x80) {
    const octets = first - 0x80;
    if (octets === 0 || octets > 3) return undefined; // indefinite, or beyond any request
    length = 0;
    for (let i = 0; i < octets; i++) {
      const octet = bytes[start++];
      if (octet === undefined) return undefined;
      length = length * 256 + octet;
    }
    if (length < 0x80 || length < 256 ** (octets - 1)) return undefined; // not the shortest form
  }
  const end = start + length;
  if (end > bytes.length) return undefined;
  return { tag, content: bytes.subarray(start, end), raw: bytes.subarray(at, end) };
}
