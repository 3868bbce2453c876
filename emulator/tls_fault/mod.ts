/**
 * Handshakes that fail as real servers make them fail: with a chosen alert after the client has
 * presented its certificate, or with a connection that ends at a chosen point.
 *
 * No TLS library does this on demand, so this speaks just enough TLS 1.2 and 1.3 over an accepted
 * TCP connection. It proves the server's identity properly and checks nothing of the client's; it
 * never carries application data.
 *
 * @example
 * ```ts
 * const server = net.createServer((socket) => {
 *   rejectHandshake(socket, { alert: 44, chain: [leaf, issuer], privateKey });
 * });
 * ```
 *
 * @module
 */

import type { Socket } from "node:net";
import type { Bytes } from "../../src/encoding.ts";
import type { Closing, HandshakePoint } from "../steps.ts";
import {
  handshake12,
  handshake13,
  readClientHello,
  type SecondFlight,
  type ServerIdentity,
} from "./handshake.ts";
import { fatalAlert, TLS12, TLS13 } from "./messages.ts";
import { ALERT, plainRecords } from "./records.ts";
import { RecordSource } from "./source.ts";

export type { ServerIdentity } from "./handshake.ts";
export type { Closing, HandshakePoint } from "../steps.ts";

const HANDSHAKE_FAILURE = 40;
const PROTOCOL_VERSION = 70;

/** How a handshake is to be carried on. */
export interface HandshakeOptions extends ServerIdentity {
  /**
   * Version to speak. A client that doesn't offer it gets the alert `protocol_version` (70).
   * @default "TLSv1.3" where the client offers it, else "TLSv1.2"
   */
  readonly version?: "TLSv1.2" | "TLSv1.3";
}

/** Options of {@linkcode rejectHandshake}. */
export interface RejectOptions extends HandshakeOptions {
  /** Number of the fatal alert (RFC 8446 section 6), sent after the client's second flight. */
  readonly alert: number;
  /** How the connection ends after the alert. @default "fin" */
  readonly close?: Closing;
}

/** How far the client came. */
export interface FaultReport {
  /** The furthest point reached: short of `second_flight` where the client gave up before. */
  readonly reached: HandshakePoint;
  /** Version spoken, once it was chosen. */
  readonly version?: "TLSv1.2" | "TLSv1.3";
  /** Server name the client asked for, where it did. */
  readonly serverName?: string;
  /** DER certificates the client presented, leaf first; empty where it had none. */
  readonly clientChain: readonly Bytes[];
}

/**
 * Carries a handshake to the client's second flight (its certificate and the proof of its key),
 * then refuses it with a fatal alert and ends the connection: in TLS 1.2 before the client has a
 * secure connection, in TLS 1.3 when it believes it has one.
 *
 * Never rejects: whatever the client does shows in the report. Where there is nothing in common to
 * go on with, the client gets `handshake_failure` (40). Waits for as long as the client keeps the
 * connection open: to stop, destroy the socket.
 */
export function rejectHandshake(socket: Socket, options: RejectOptions): Promise<FaultReport> {
  const { alert, close = "fin" } = options;
  return handshake(socket, options, "second_flight", (flight) => {
    end(socket, close, flight?.seal(ALERT, fatalAlert(alert)));
  });
}

/**
 * Ends the connection at this point of the handshake, by RST or by FIN, without any alert.
 *
 * Never rejects, as {@linkcode rejectHandshake}.
 */
export function resetAfter(
  socket: Socket,
  point: HandshakePoint,
  how: Closing,
  options: HandshakeOptions,
): Promise<FaultReport> {
  return handshake(socket, options, point, () => end(socket, how));
}

/** Goes as far as `until` and calls `finish`, or as far as the client goes along. */
async function handshake(
  socket: Socket,
  options: HandshakeOptions,
  until: HandshakePoint,
  finish: (flight?: SecondFlight) => void,
): Promise<FaultReport> {
  // The client may end the connection at any time; the report says how far it came.
  socket.on("error", () => {});
  let report: FaultReport = { reached: "accept", clientChain: [] };
  try {
    if (until === "accept") {
      finish();
      return report;
    }
    const records = new RecordSource(socket);
    const received = await readClientHello(records);
    if (received === undefined) {
      socket.destroy();
      return report;
    }
    const { versions, serverName } = received.hello;
    report = { ...report, reached: "client_hello", ...(serverName ? { serverName } : {}) };
    if (until === "client_hello") {
      finish();
      return report;
    }
    const { version = versions.includes(TLS13) ? "TLSv1.3" : "TLSv1.2" } = options;
    if (!versions.includes(version === "TLSv1.3" ? TLS13 : TLS12)) {
      end(socket, "fin", plainRecords(ALERT, fatalAlert(PROTOCOL_VERSION)));
      return report;
    }
    report = { ...report, version };
    const carryOn = version === "TLSv1.3" ? handshake13 : handshake12;
    const flight = await carryOn({ ...options, socket, records }, received);
    if (flight === undefined) {
      end(socket, "fin", plainRecords(ALERT, fatalAlert(HANDSHAKE_FAILURE)));
      return report;
    }
    finish(flight);
    return { ...report, reached: "second_flight", clientChain: flight.clientChain };
  } catch {
    socket.destroy(); // what came wasn't TLS
    return report;
  }
}

/** Ends the connection, after these bytes; reads on, since unread data would turn FIN into RST. */
function end(socket: Socket, how: Closing, last?: Uint8Array): void {
  const close = () => {
    if (how === "fin") socket.end();
    // A socket that is shutting down can't be reset any more, and one that fails to be never closes.
    else if (socket.writableEnded) socket.destroy();
    else socket.resetAndDestroy();
  };
  socket.resume();
  if (last === undefined) close();
  else socket.write(last, close);
}
