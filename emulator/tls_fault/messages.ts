/**
 * The handshake messages a server sends and reads (RFC 5246 section 7.4, RFC 8446 section 4), as
 * pure functions.
 *
 * @module
 */

import { type Bytes, concat } from "../../src/encoding.ts";
import { uint, vector, WireReader } from "./wire.ts";

/** Handshake message types. */
export const CLIENT_HELLO = 1;
/** ServerHello. */
export const SERVER_HELLO = 2;
/** EncryptedExtensions. */
export const ENCRYPTED_EXTENSIONS = 8;
/** Certificate. */
export const CERTIFICATE = 11;
/** ServerKeyExchange. */
export const SERVER_KEY_EXCHANGE = 12;
/** CertificateRequest. */
export const CERTIFICATE_REQUEST = 13;
/** ServerHelloDone. */
export const SERVER_HELLO_DONE = 14;
/** CertificateVerify. */
export const CERTIFICATE_VERIFY = 15;
/** Finished. */
export const FINISHED = 20;

/** Protocol versions on the wire. */
export const TLS12 = 0x0303;
/** TLS 1.3. */
export const TLS13 = 0x0304;

const EXTENSION = {
  serverName: 0,
  supportedGroups: 10,
  signatureAlgorithms: 13,
  supportedVersions: 43,
  keyShare: 51,
  renegotiationInfo: 0xff01,
} as const;

/** Largest handshake message that is read, in bytes. */
const MAX_MESSAGE = 65_536;

/** A handshake message. */
export interface HandshakeMessage {
  /** Its type. */
  readonly type: number;
  /** What it says, without the header. */
  readonly body: Bytes;
  /** Header and body, as the transcript has it. */
  readonly whole: Bytes;
}

/** What matters of a ClientHello. */
export interface ClientHello {
  readonly random: Bytes;
  readonly sessionId: Bytes;
  readonly cipherSuites: readonly number[];
  /** Versions offered. */
  readonly versions: readonly number[];
  readonly groups: readonly number[];
  readonly signatureSchemes: readonly number[];
  /** Public keys of the key exchange, by group. */
  readonly keyShares: ReadonlyMap<number, Bytes>;
  /** Server name asked for, where there is one. */
  readonly serverName?: string;
}

/** Puts handshake messages together from fragments; throws a `RangeError` for one too long. */
export class MessageReader {
  #pending: Bytes = new Uint8Array(0);

  /** The messages that are complete with this fragment. */
  push(fragment: Uint8Array): HandshakeMessage[] {
    this.#pending = concat(this.#pending, fragment);
    const messages: HandshakeMessage[] = [];
    while (this.#pending.length >= 4) {
      const length = new WireReader(this.#pending.subarray(1)).uint(3);
      if (length > MAX_MESSAGE) throw new RangeError("The handshake message is too long.");
      if (this.#pending.length < 4 + length) break;
      const whole = this.#pending.slice(0, 4 + length);
      messages.push({ type: whole[0]!, body: whole.slice(4), whole });
      this.#pending = this.#pending.slice(4 + length);
    }
    return messages;
  }
}

/** A handshake message of this type. */
export function handshakeMessage(type: number, ...body: readonly Uint8Array[]): Bytes {
  return concat(uint(type, 1), vector(3, ...body));
}

/** Reads a ClientHello; throws a `RangeError` where it is cut short. */
export function parseClientHello(body: Uint8Array): ClientHello {
  const reader = new WireReader(body);
  const legacyVersion = reader.uint(2);
  const random = new Uint8Array(reader.bytes(32));
  const sessionId = new Uint8Array(reader.vector(1).remainder());
  const cipherSuites = reader.vector(2).uint16s();
  reader.vector(1); // compression methods
  const extensions = new Map<number, Uint8Array>();
  if (!reader.done) {
    const list = reader.vector(2);
    while (!list.done) extensions.set(list.uint(2), list.vector(2).remainder());
  }
  const extension = (type: number) => new WireReader(extensions.get(type) ?? uint(0, 3));
  const serverName = extensions.has(EXTENSION.serverName)
    ? parseServerName(extension(EXTENSION.serverName))
    : undefined;
  return {
    random,
    sessionId,
    cipherSuites,
    versions: extensions.has(EXTENSION.supportedVersions)
      ? extension(EXTENSION.supportedVersions).vector(1).uint16s()
      : [legacyVersion],
    groups: extension(EXTENSION.supportedGroups).vector(2).uint16s(),
    signatureSchemes: extension(EXTENSION.signatureAlgorithms).vector(2).uint16s(),
    keyShares: parseKeyShares(extension(EXTENSION.keyShare).vector(2)),
    ...(serverName === undefined ? {} : { serverName }),
  };
}

/** ServerHello of TLS 1.2, with the empty `renegotiation_info` that clients insist on. */
export function serverHello12(random: Uint8Array, cipherSuite: number): Bytes {
  return handshakeMessage(
    SERVER_HELLO,
    ...helloStart(random, new Uint8Array(0), cipherSuite),
    vector(2, uint(EXTENSION.renegotiationInfo, 2), vector(2, vector(1))),
  );
}

/** ServerHello of TLS 1.3. */
export function serverHello13(
  random: Uint8Array,
  sessionId: Uint8Array,
  cipherSuite: number,
  group: number,
  publicKey: Uint8Array,
): Bytes {
  const keyShare = concat(uint(group, 2), vector(2, publicKey));
  return handshakeMessage(
    SERVER_HELLO,
    ...helloStart(random, sessionId, cipherSuite),
    vector(
      2,
      concat(uint(EXTENSION.supportedVersions, 2), vector(2, uint(TLS13, 2))),
      concat(uint(EXTENSION.keyShare, 2), vector(2, keyShare)),
    ),
  );
}

/** CertificateRequest of TLS 1.2: any issuer, RSA or ECDSA. */
export function certificateRequest12(signatureSchemes: readonly number[]): Bytes {
  const rsaSign = 1;
  const ecdsaSign = 64;
  return handshakeMessage(
    CERTIFICATE_REQUEST,
    vector(1, uint(rsaSign, 1), uint(ecdsaSign, 1)),
    vector(2, ...signatureSchemes.map((scheme) => uint(scheme, 2))),
    vector(2),
  );
}

/** CertificateRequest of TLS 1.3. */
export function certificateRequest13(signatureSchemes: readonly number[]): Bytes {
  const schemes = vector(2, ...signatureSchemes.map((scheme) => uint(scheme, 2)));
  return handshakeMessage(
    CERTIFICATE_REQUEST,
    vector(1),
    vector(2, uint(EXTENSION.signatureAlgorithms, 2), vector(2, schemes)),
  );
}

/** Certificate of TLS 1.2. */
export function certificate12(chain: readonly Uint8Array[]): Bytes {
  return handshakeMessage(CERTIFICATE, vector(3, ...chain.map((der) => vector(3, der))));
}

/** Certificate of TLS 1.3, without extensions. */
export function certificate13(chain: readonly Uint8Array[]): Bytes {
  const entries = chain.map((der) => concat(vector(3, der), vector(2)));
  return handshakeMessage(CERTIFICATE, vector(1), vector(3, ...entries));
}

/** The chain in a client's Certificate message, leaf first. */
export function parseCertificate(body: Uint8Array, version: number): Bytes[] {
  const reader = new WireReader(body);
  if (version === TLS13) reader.vector(1);
  const list = reader.vector(3);
  const chain: Bytes[] = [];
  while (!list.done) {
    chain.push(new Uint8Array(list.vector(3).remainder()));
    if (version === TLS13) list.vector(2);
  }
  return chain;
}

/** A fatal alert. */
export function fatalAlert(alert: number): Bytes {
  return concat(uint(2, 1), uint(alert, 1));
}

function helloStart(random: Uint8Array, sessionId: Uint8Array, cipherSuite: number): Bytes[] {
  return [uint(TLS12, 2), concat(random), vector(1, sessionId), uint(cipherSuite, 2), uint(0, 1)];
}

function parseServerName(extension: WireReader): string | undefined {
  const names = extension.vector(2);
  while (!names.done) {
    const hostName = names.uint(1) === 0;
    const name = names.vector(2).remainder();
    if (hostName) return new TextDecoder().decode(name);
  }
  return undefined;
}

function parseKeyShares(shares: WireReader): Map<number, Bytes> {
  const keys = new Map<number, Bytes>();
  while (!shares.done) keys.set(shares.uint(2), new Uint8Array(shares.vector(2).remainder()));
  return keys;
}
