/**
 * What a server says in the clear, read beside SChannel, which says less: the version it chose, and
 * which alert it sent.
 *
 * @module
 */

import { concat } from "../../src/encoding.ts";
import type { TlsVersion } from "../../src/transports.ts";

/** Content types of a record (RFC 8446 section 5.1). */
const ALERT = 21;
const HANDSHAKE = 22;
/** Bytes of a record's header: type, version, length. */
const HEADER = 5;
/** Bytes of a handshake message's header: type, length. */
const MESSAGE_HEADER = 4;
const SERVER_HELLO = 2;
/** `supported_versions` (RFC 8446 section 4.2.1). */
const SUPPORTED_VERSIONS = 43;
/** Longest content of a record, encrypted (RFC 5246 section 6.2.3). */
const MAX_RECORD = 18_432;
/** Longest ServerHello that is looked at, bytes. */
const MAX_HELLO = 16_384;

const VERSIONS: Readonly<Record<number, TlsVersion>> = { 0x0303: "TLSv1.2", 0x0304: "TLSv1.3" };

const NOTHING = new Uint8Array(0);

/**
 * Watches the records of a server up to where they are encrypted. What is seen is no proof of who
 * sent it before the handshake is done, which a wrong version would fail.
 */
export class ServerFlight {
  /** What came and isn't a whole record yet. */
  #held: Uint8Array = NOTHING;
  /** The beginning of the first message. */
  #hello: Uint8Array | undefined = NOTHING;
  #over = false;
  #foreign = false;
  #alert: number | undefined;
  #version: TlsVersion | undefined;

  /** Number of the last alert seen (RFC 8446 section 6). */
  get alert(): number | undefined {
    return this.#alert;
  }

  /** The version that the ServerHello chose; `undefined` before, and for one not known here. */
  get version(): TlsVersion | undefined {
    return this.#version;
  }

  /** Whether its first bytes aren't a record of TLS. */
  get foreign(): boolean {
    return this.#foreign;
  }

  /** Goes on with what the server sent. */
  read(received: Uint8Array): void {
    if (this.#over) return;
    this.#held = concat(this.#held, received);
    while (!this.#over && this.#held.length >= HEADER) {
      const [type, major, , high, low] = [...this.#held.subarray(0, HEADER)];
      const length = high! << 8 | low!;
      const end = HEADER + length;
      if (type! < 20 || type! > 23 || major !== 3 || length > MAX_RECORD) {
        this.#foreign = this.#hello !== undefined;
      }
      // What follows anything else is encrypted, or isn't TLS.
      this.#over = type !== ALERT && type !== HANDSHAKE;
      if (this.#over || this.#held.length < end) break;
      const content = this.#held.subarray(HEADER, end);
      // A longer one is encrypted.
      if (type === ALERT && content.length === 2) this.#alert = content[1];
      else if (type === HANDSHAKE) this.#readHandshake(content);
      this.#held = this.#held.subarray(end);
    }
    if (this.#over) this.#held = NOTHING;
  }

  #readHandshake(content: Uint8Array): void {
    if (this.#hello === undefined) return;
    const hello = concat(this.#hello, content);
    const length = MESSAGE_HEADER + (hello[1]! << 16 | hello[2]! << 8 | hello[3]!);
    const whole = hello.length >= MESSAGE_HEADER && hello.length >= length;
    if (whole && hello[0] === SERVER_HELLO) {
      this.#version = helloVersion(hello.subarray(MESSAGE_HEADER, length));
    }
    this.#hello = whole || hello.length > MAX_HELLO ? undefined : hello;
  }
}

/** The version of a ServerHello's body; `undefined` for one not known here or a body cut short. */
export function helloVersion(body: Uint8Array): TlsVersion | undefined {
  const at16 = (offset: number) => body[offset]! << 8 | body[offset + 1]!;
  // Version, random, session id, cipher suite, compression method.
  const extensions = 2 + 32 + 1 + (body[34] ?? 0) + 2 + 1;
  const end = Math.min(body.length, extensions + 2 + at16(extensions));
  for (let at = extensions + 2; at + 6 <= end; at += 4 + at16(at + 2)) {
    if (at16(at) === SUPPORTED_VERSIONS) return VERSIONS[at16(at + 4)];
  }
  return body.length < extensions ? undefined : VERSIONS[at16(0)];
}
