/**
 * TLS without any: what is sent is what is to be read.
 *
 * @module
 */

import type { TlsEngine } from "../../../backends/tls_engine/engine.ts";
import { concat, utf8 } from "../../../src/encoding.ts";

const NOTHING = new Uint8Array(0);
/** Ends the handshake: `!`. */
export const FINISHED = 0x21;
/** What stands for `close_notify`. */
export const GOODBYE = 0x00;

/** An engine, and what it went through. */
export interface PlainEngine {
  readonly engine: TlsEngine;
  /** What the handshake was given. */
  readonly received: readonly Uint8Array[];
  /** How often it was freed. */
  freed(): number;
}

/** An engine that passes everything on: `!` ends the handshake, a zero byte is `close_notify`. */
export function plainEngine(): PlainEngine {
  const received: Uint8Array[] = [];
  let freed = 0;
  const engine: TlsEngine = {
    handshake(bytes) {
      if (bytes.length === 0) return { send: utf8("hello"), done: false };
      received.push(bytes);
      return { send: NOTHING, done: concat(...received).includes(FINISHED) };
    },
    decrypt(bytes) {
      const end = bytes.indexOf(GOODBYE);
      const data = end < 0 ? bytes : bytes.subarray(0, end);
      return { data: data.length === 0 ? [] : [data], send: NOTHING, ended: end >= 0 };
    },
    encrypt: (data) => data,
    end: () => Uint8Array.of(GOODBYE),
    free: () => void freed++,
  };
  return { engine, received, freed: () => freed };
}
