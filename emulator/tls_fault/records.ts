/**
 * The TLS record layer: framing, and the protection of TLS 1.3 records with AES-128-GCM (RFC 8446
 * section 5).
 *
 * @module
 */

import { createCipheriv, createDecipheriv } from "node:crypto";
import { type Bytes, concat } from "../../src/encoding.ts";
import type { TrafficKeys } from "./key_schedule.ts";
import { uint } from "./wire.ts";

/** Content types. */
export const CHANGE_CIPHER_SPEC = 20;
/** An alert. */
export const ALERT = 21;
/** A part of a handshake message, or several of them. */
export const HANDSHAKE = 22;
/** Application data; in TLS 1.3 everything that is encrypted. */
export const APPLICATION_DATA = 23;

const MAJOR_VERSION = 3;
const LEGACY_VERSION = 0x0303;
const MAX_PLAINTEXT = 2 ** 14;
const MAX_FRAGMENT = MAX_PLAINTEXT + 2048;
const HEADER_LENGTH = 5;
const TAG_LENGTH = 16;
const CIPHER = "aes-128-gcm";

/** One record. */
export interface TlsRecord {
  /** Content type. */
  readonly type: number;
  /** What it carries; for a protected record the ciphertext and its tag. */
  readonly fragment: Bytes;
}

/** Cuts a stream of bytes into records; throws a `RangeError` for what is none or too long. */
export class RecordReader {
  #pending: Bytes = new Uint8Array(0);

  /** The records that are complete with these bytes. */
  push(bytes: Uint8Array): TlsRecord[] {
    this.#pending = concat(this.#pending, bytes);
    const records: TlsRecord[] = [];
    while (this.#pending.length >= HEADER_LENGTH) {
      const [type = 0, major, , high = 0, low = 0] = this.#pending;
      if (type < CHANGE_CIPHER_SPEC || type > APPLICATION_DATA || major !== MAJOR_VERSION) {
        throw new RangeError("This is no TLS record.");
      }
      const length = high * 256 + low;
      if (length > MAX_FRAGMENT) throw new RangeError("The TLS record is too long.");
      const end = HEADER_LENGTH + length;
      if (this.#pending.length < end) break;
      const fragment = this.#pending.slice(HEADER_LENGTH, end);
      records.push({ type, fragment });
      this.#pending = this.#pending.slice(end);
    }
    return records;
  }
}

/** Unprotected records of this type, as many as the content takes. */
export function plainRecords(type: number, content: Uint8Array): Bytes {
  return concat(...fragments(content).map((fragment) => frame(type, fragment)));
}

/** Protected records of this type; `sequence` numbers the first of them. */
export function sealRecords(
  keys: TrafficKeys,
  sequence: number,
  type: number,
  content: Uint8Array,
): Bytes {
  return concat(
    ...fragments(content).map((fragment, i) => {
      const header = recordHeader(APPLICATION_DATA, fragment.length + 1 + TAG_LENGTH);
      const cipher = createCipheriv(CIPHER, keys.key, nonce(keys.iv, sequence + i));
      cipher.setAAD(header);
      const sealed = cipher.update(concat(fragment, uint(type, 1)));
      return concat(header, sealed, cipher.final(), cipher.getAuthTag());
    }),
  );
}

/** What a protected record holds; throws where it isn't what was sealed with these keys. */
export function openRecord(keys: TrafficKeys, sequence: number, record: TlsRecord): TlsRecord {
  const { fragment } = record;
  const decipher = createDecipheriv(CIPHER, keys.key, nonce(keys.iv, sequence));
  decipher.setAAD(recordHeader(record.type, fragment.length));
  decipher.setAuthTag(fragment.subarray(-TAG_LENGTH));
  const inner = concat(decipher.update(fragment.subarray(0, -TAG_LENGTH)), decipher.final());
  let end = inner.length;
  while (end > 0 && inner[end - 1] === 0) end--;
  if (end === 0) throw new RangeError("The TLS record has no content type.");
  return { type: inner[end - 1]!, fragment: inner.slice(0, end - 1) };
}

function fragments(content: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let i = 0; i < content.length; i += MAX_PLAINTEXT) {
    parts.push(content.subarray(i, i + MAX_PLAINTEXT));
  }
  return parts;
}

function frame(type: number, fragment: Uint8Array): Bytes {
  return concat(recordHeader(type, fragment.length), fragment);
}

function recordHeader(type: number, length: number): Bytes {
  return concat(uint(type, 1), uint(LEGACY_VERSION, 2), uint(length, 2));
}

/** The per-record nonce: the sequence number, XORed into the end of the IV. */
function nonce(iv: Uint8Array, sequence: number): Bytes {
  const bytes = new Uint8Array(iv);
  for (let i = bytes.length - 1, rest = sequence; rest > 0; i--, rest >>>= 8) {
    bytes[i] = bytes[i]! ^ (rest & 0xff);
  }
  return bytes;
}
