/**
 * A TLS server's side of a handshake, up to the client's second flight, in TLS 1.2 and 1.3.
 *
 * It asks for a client certificate and takes whatever comes: nothing the client proves is checked.
 *
 * @module
 */

import { type KeyObject, randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { type Bytes, concat, utf8 } from "../../src/encoding.ts";
import { CLIENT_SCHEMES, createKeyShare, schemeOf, signWith } from "./asymmetric.ts";
import {
  applicationTraffic,
  handshakeSecret,
  handshakeTraffic,
  type TrafficKeys,
  trafficKeys,
  transcriptHash,
  verifyData,
} from "./key_schedule.ts";
import {
  CERTIFICATE,
  certificate12,
  certificate13,
  CERTIFICATE_VERIFY,
  certificateRequest12,
  certificateRequest13,
  CLIENT_HELLO,
  type ClientHello,
  ENCRYPTED_EXTENSIONS,
  FINISHED,
  type HandshakeMessage,
  handshakeMessage,
  MessageReader,
  parseCertificate,
  parseClientHello,
  SERVER_HELLO_DONE,
  SERVER_KEY_EXCHANGE,
  serverHello12,
  serverHello13,
  TLS12,
  TLS13,
} from "./messages.ts";
import {
  ALERT,
  CHANGE_CIPHER_SPEC,
  HANDSHAKE,
  openRecord,
  plainRecords,
  sealRecords,
} from "./records.ts";
import type { RecordSource } from "./source.ts";
import { uint, vector } from "./wire.ts";

/** What the server shows of itself. */
export interface ServerIdentity {
  /** DER certificates, leaf first. */
  readonly chain: readonly Uint8Array[];
  /** Private key of the leaf: RSA, or EC on P-256. */
  readonly privateKey: KeyObject;
}

/** What the client sent in its second flight, and how to answer it. */
export interface SecondFlight {
  /** DER certificates the client presented, leaf first; empty where it had none. */
  readonly clientChain: readonly Bytes[];
  /** A record of this type as the client expects it now. */
  seal(type: number, content: Uint8Array): Bytes;
}

/** A connection with a handshake under way. */
export interface HandshakeContext extends ServerIdentity {
  readonly socket: Socket;
  readonly records: RecordSource;
}

/** A ClientHello and the bytes it came in. */
export interface ReceivedHello {
  readonly hello: ClientHello;
  readonly whole: Bytes;
}

/** Reads the ClientHello; `undefined` where something else came or nothing more will. */
export async function readClientHello(records: RecordSource): Promise<ReceivedHello | undefined> {
  const messages = new MessageReader();
  while (true) {
    const record = await records.next();
    if (record?.type !== HANDSHAKE) return undefined;
    const message = messages.push(record.fragment)[0];
    if (message === undefined) continue;
    if (message.type !== CLIENT_HELLO) return undefined;
    return { hello: parseClientHello(message.body), whole: message.whole };
  }
}

/**
 * The TLS 1.2 handshake, with ECDHE. Stops before any key is needed: up to the server's own
 * ChangeCipherSpec its alerts go in the clear.
 */
export async function handshake12(
  context: HandshakeContext,
  { hello }: ReceivedHello,
): Promise<SecondFlight | undefined> {
  const { socket, records, chain, privateKey } = context;
  const ecdheEcdsa = 0xc02b;
  const ecdheRsa = 0xc02f;
  const cipherSuite = privateKey.asymmetricKeyType === "ec" ? ecdheEcdsa : ecdheRsa;
  const share = createKeyShare(hello.groups);
  if (share === undefined || !hello.cipherSuites.includes(cipherSuite)) return undefined;

  const random = randomBytes(32);
  const namedCurve = 3;
  const parameters = concat(
    uint(namedCurve, 1),
    uint(share.group, 2),
    vector(1, share.publicKey),
  );
  const signature = signWith(privateKey, concat(hello.random, random, parameters));
  socket.write(plainRecords(
    HANDSHAKE,
    concat(
      serverHello12(random, cipherSuite),
      certificate12(chain),
      handshakeMessage(
        SERVER_KEY_EXCHANGE,
        parameters,
        uint(schemeOf(privateKey), 2),
        vector(2, signature),
      ),
      certificateRequest12(CLIENT_SCHEMES),
      handshakeMessage(SERVER_HELLO_DONE),
    ),
  ));

  const messages = new MessageReader();
  const flight: HandshakeMessage[] = [];
  while (true) {
    const record = await records.next();
    if (record === undefined || record.type === ALERT) return undefined;
    if (record.type === CHANGE_CIPHER_SPEC) break;
    flight.push(...messages.push(record.fragment));
  }
  const finished = await records.next();
  if (finished?.type !== HANDSHAKE) return undefined;
  return { clientChain: clientChainOf(flight, TLS12), seal: plainRecords };
}

/** The TLS 1.3 handshake, with TLS_AES_128_GCM_SHA256 and without a HelloRetryRequest. */
export async function handshake13(
  context: HandshakeContext,
  { hello, whole }: ReceivedHello,
): Promise<SecondFlight | undefined> {
  const { socket, records, chain, privateKey } = context;
  const aes128GcmSha256 = 0x1301;
  const share = createKeyShare([...hello.keyShares.keys()]);
  if (share === undefined || !hello.cipherSuites.includes(aes128GcmSha256)) return undefined;

  const random = randomBytes(32);
  const serverHello = serverHello13(
    random,
    hello.sessionId,
    aes128GcmSha256,
    share.group,
    share.publicKey,
  );
  const secret = handshakeSecret(share.shared(hello.keyShares.get(share.group)!));
  const traffic = handshakeTraffic(secret, transcriptHash(whole, serverHello));

  const transcript: Bytes[] = [
    whole,
    serverHello,
    handshakeMessage(ENCRYPTED_EXTENSIONS, vector(2)),
    certificateRequest13(CLIENT_SCHEMES),
    certificate13(chain),
  ];
  const proven = concat(
    utf8(`${" ".repeat(64)}TLS 1.3, server CertificateVerify\0`),
    transcriptHash(...transcript),
  );
  transcript.push(handshakeMessage(
    CERTIFICATE_VERIFY,
    uint(schemeOf(privateKey), 2),
    vector(2, signWith(privateKey, proven)),
  ));
  transcript.push(
    handshakeMessage(FINISHED, verifyData(traffic.server, transcriptHash(...transcript))),
  );
  socket.write(concat(
    plainRecords(HANDSHAKE, serverHello),
    plainRecords(CHANGE_CIPHER_SPEC, uint(1, 1)),
    sealRecords(trafficKeys(traffic.server), 0, HANDSHAKE, concat(...transcript.slice(2))),
  ));

  const flight = await readProtectedFlight(records, trafficKeys(traffic.client));
  if (flight === undefined) return undefined;
  const keys = trafficKeys(applicationTraffic(secret, transcriptHash(...transcript)).server);
  return {
    clientChain: clientChainOf(flight, TLS13),
    seal: (type, content) => sealRecords(keys, 0, type, content),
  };
}

/** The client's handshake messages up to its Finished; `undefined` where it gives up before. */
async function readProtectedFlight(
  records: RecordSource,
  keys: TrafficKeys,
): Promise<HandshakeMessage[] | undefined> {
  const messages = new MessageReader();
  const flight: HandshakeMessage[] = [];
  let sequence = 0;
  while (flight.at(-1)?.type !== FINISHED) {
    const record = await records.next();
    if (record === undefined || record.type === ALERT) return undefined;
    if (record.type === CHANGE_CIPHER_SPEC) continue;
    const inner = openRecord(keys, sequence++, record);
    if (inner.type !== HANDSHAKE) return undefined;
    flight.push(...messages.push(inner.fragment));
  }
  return flight;
}

function clientChainOf(flight: readonly HandshakeMessage[], version: number): Bytes[] {
  const certificate = flight.find((message) => message.type === CERTIFICATE);
  return certificate === undefined ? [] : parseCertificate(certificate.body, version);
}
