/**
 * The TLS 1.3 key schedule for SHA-256 cipher suites without a pre-shared key (RFC 8446 section
 * 7), as pure functions.
 *
 * @module
 */

import { createHash, createHmac } from "node:crypto";
import { type Bytes, concat, utf8 } from "../../src/encoding.ts";
import { uint, vector } from "./wire.ts";

const HASH = "sha256";
const HASH_LENGTH = 32;
const EMPTY: Bytes = new Uint8Array(0);

/** Secrets of both directions. */
export interface TrafficSecrets {
  /** Protects what the client sends. */
  readonly client: Bytes;
  /** Protects what the server sends. */
  readonly server: Bytes;
}

/** Key and nonce base of AES-128-GCM (RFC 8446 section 7.3). */
export interface TrafficKeys {
  readonly key: Bytes;
  readonly iv: Bytes;
}

/** Hash of the messages so far, each with its header. */
export function transcriptHash(...messages: readonly Uint8Array[]): Bytes {
  return new Uint8Array(createHash(HASH).update(concat(...messages)).digest());
}

/** `HKDF-Extract` (RFC 5869 section 2.2). */
export function extract(salt: Uint8Array, secret: Uint8Array): Bytes {
  return new Uint8Array(createHmac(HASH, salt).update(secret).digest());
}

/** `HKDF-Expand-Label`. */
export function expandLabel(
  secret: Uint8Array,
  label: string,
  context: Uint8Array,
  length: number,
): Bytes {
  const info = concat(uint(length, 2), vector(1, utf8(`tls13 ${label}`)), vector(1, context));
  const blocks: Bytes[] = [];
  let block = EMPTY;
  for (let made = 0; made < length; made += HASH_LENGTH) {
    const counter = uint(blocks.length + 1, 1);
    block = new Uint8Array(createHmac(HASH, secret).update(concat(block, info, counter)).digest());
    blocks.push(block);
  }
  return concat(...blocks).slice(0, length);
}

/** The handshake secret, from the result of the key exchange. */
export function handshakeSecret(shared: Uint8Array): Bytes {
  const none = new Uint8Array(HASH_LENGTH);
  return extract(derived(extract(none, none)), shared);
}

/** Traffic secrets of the handshake; `hash` covers ClientHello to ServerHello. */
export function handshakeTraffic(handshake: Uint8Array, hash: Uint8Array): TrafficSecrets {
  return {
    client: expandLabel(handshake, "c hs traffic", hash, HASH_LENGTH),
    server: expandLabel(handshake, "s hs traffic", hash, HASH_LENGTH),
  };
}

/** Traffic secrets of the application data; `hash` covers ClientHello to the server's Finished. */
export function applicationTraffic(handshake: Uint8Array, hash: Uint8Array): TrafficSecrets {
  const master = extract(derived(handshake), new Uint8Array(HASH_LENGTH));
  return {
    client: expandLabel(master, "c ap traffic", hash, HASH_LENGTH),
    server: expandLabel(master, "s ap traffic", hash, HASH_LENGTH),
  };
}

/** Keys for AES-128-GCM. */
export function trafficKeys(secret: Uint8Array): TrafficKeys {
  return { key: expandLabel(secret, "key", EMPTY, 16), iv: expandLabel(secret, "iv", EMPTY, 12) };
}

/** `verify_data` of a Finished message; `hash` covers everything before it. */
export function verifyData(secret: Uint8Array, hash: Uint8Array): Bytes {
  return extract(expandLabel(secret, "finished", EMPTY, HASH_LENGTH), hash);
}

function derived(secret: Uint8Array): Bytes {
  return expandLabel(secret, "derived", transcriptHash(), HASH_LENGTH);
}
