/**
 * What clients send to the emulator's TLS listeners: records, messages, a ClientHello, a chain.
 *
 * @module
 */

import assert from "node:assert/strict";
import {
  MessageReader,
  parseCertificate,
  parseClientHello,
  TLS12,
  TLS13,
} from "../../../emulator/tls_fault/messages.ts";
import { RecordReader } from "../../../emulator/tls_fault/records.ts";

/** Bytes are read or refused with a `RangeError`, at no more cost than their length. */
export function fuzz(data: Uint8Array): void {
  const records = read(() => new RecordReader().push(data)) ?? [];
  const reader = new MessageReader();
  for (const { fragment } of records) {
    for (const { body } of read(() => reader.push(fragment)) ?? []) readBody(body);
  }
  readBody(data);
}

/** Extensions. */
export const tokens: readonly string[] = [
  "\x16\x03\x01\0",
  "\0\0\0\x0e\0\x0c\0\0\x09localhost",
  "\0+\0\x03\x02\x03\x04",
  "\0\x0d\0\x04\0\x02\x08\x04",
  "\x003\0\x02\0\0",
];

function readBody(body: Uint8Array): void {
  const hello = read(() => parseClientHello(body));
  if (hello !== undefined) assert.equal(hello.random.length, 32);
  for (const version of [TLS12, TLS13]) {
    const chain = read(() => parseCertificate(body, version)) ?? [];
    assert.ok(chain.reduce((sum, { length }) => sum + length, 0) <= body.length);
  }
}

function read<T>(reading: () => T): T | undefined {
  try {
    return reading();
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
