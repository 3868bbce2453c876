/**
 * Records of a TLS server in the clear.
 *
 * @module
 */

import { type Bytes, concat } from "../../../src/encoding.ts";

/** `legacy_version` and `supported_versions` on the wire. */
export const TLS_1_2: readonly [number, number] = [3, 3];
/** That of TLS 1.3, which a ServerHello has in an extension. */
export const TLS_1_3: readonly [number, number] = [3, 4];

/** A fatal alert. */
export function alertRecord(number: number): Bytes {
  return Uint8Array.of(21, 3, 3, 0, 2, 2, number);
}

/** A record of the handshake. */
export function handshakeRecord(content: Uint8Array): Bytes {
  return concat(Uint8Array.of(22, 3, 3, content.length >> 8, content.length & 255), content);
}

/** A ServerHello message that chooses this version. */
export function serverHelloMessage(version: readonly [number, number], sessionId = 32): Bytes {
  const isLatest = version[1] === 4;
  const extensions = [0, 16, 0, 2, 9, 9, ...(isLatest ? [0, 43, 0, 2, ...version] : [])];
  const body = [
    ...(isLatest ? TLS_1_2 : version),
    ...new Array<number>(32).fill(7),
    sessionId,
    ...new Array<number>(sessionId).fill(8),
    ...[0x13, 0x01, 0],
    ...[0, extensions.length, ...extensions],
  ];
  return Uint8Array.from([2, 0, body.length >> 8, body.length & 255, ...body]);
}

/** A ServerHello in a record of its own. */
export function serverHello(version: readonly [number, number]): Bytes {
  return handshakeRecord(serverHelloMessage(version));
}
