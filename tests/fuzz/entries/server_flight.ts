/**
 * The first bytes of a TLS server, as the SChannel engine looks at them, and buffers and statuses
 * that SSPI gives back.
 *
 * @module
 */

import assert from "node:assert/strict";
import { bufferList, extraOf } from "../../../backends/schannel/buffers.ts";
import { handshakeMove, recordMove } from "../../../backends/schannel/moves.ts";
import { helloVersion, ServerFlight } from "../../../backends/schannel/server_flight.ts";
import { statusText } from "../../../backends/schannel/status_names.ts";
import { structs } from "../../../backends/schannel/structs.ts";

const WINDOWS = structs({ pointer: 8, long: 4 });

/** What is seen doesn't depend on how the bytes were cut; no status is unknown what to do about. */
export function fuzz(data: Uint8Array): void {
  const whole = seen([data]);
  assert.deepEqual(seen(cut(data, 1)), whole, "cut into single bytes");
  assert.deepEqual(seen(cut(data, 1 + (data[4] ?? 0) % 7)), whole, "cut into pieces");
  assert.match(helloVersion(data) ?? "TLSv1.2", /^TLSv1\.[23]$/);
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  for (let at = 0; at + 16 <= Math.min(data.length, 160); at += 16) {
    const status = view.getInt32(at, true);
    assert.match(handshakeMove(status), /^(done|continue|wait|again|fail)$/);
    assert.match(recordMove(status), /^(data|wait|settle|ended|fail)$/);
    assert.match(statusText(status), /0x[0-9a-f]{8}/);
    // As SSPI would leave it, for who trusts nothing but the length.
    let array = new Uint8Array(0);
    const list = bufferList(WINDOWS, (bytes) => ((array = bytes as typeof array), 0n), [{
      type: 0,
    }]);
    array.set(data.subarray(at, at + 16));
    assert.ok(extraOf(list.read()) >= 0);
  }
}

/** Heads of records and messages. */
export const tokens: readonly string[] = [
  "\x16\x03\x03\0",
  "\x15\x03\x03\0\x02\x02",
  "\x17\x03\x03",
  "\x14\x03\x03\0\x01\x01",
  "\x02\0\0",
  "\0+\0\x02\x03\x04",
];

function seen(chunks: readonly Uint8Array[]): readonly unknown[] {
  const flight = new ServerFlight();
  for (const chunk of chunks) flight.read(chunk);
  return [flight.version, flight.alert, flight.foreign];
}

function cut(data: Uint8Array, size: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  // What counts is at the beginning; the rest comes in one piece.
  const end = Math.min(data.length, 512);
  for (let at = 0; at < end; at += size) pieces.push(data.subarray(at, Math.min(at + size, end)));
  return [...pieces, data.subarray(end)];
}
