/**
 * The TLS engine over SChannel: the loops of handshake and data.
 *
 * @module
 */

import { concat } from "../../src/encoding.ts";
import { KeyboundError } from "../../src/errors.ts";
import type { HandshakeStep, Received, TlsEngine } from "../tls_engine/engine.ts";
import type { VersionRange } from "../http/connections.ts";
import { handshakeMove, recordMove } from "./moves.ts";
import { ServerFlight } from "./server_flight.ts";
import type { SecurityContext } from "./security_context.ts";
import { connectionFailure, recordFailure, STATUS, tlsError } from "./statuses.ts";

const NOTHING = new Uint8Array(0);

/** Most bytes that may wait for the rest of a record: more than any record has (RFC 8446 5.1). */
const MAX_PENDING = 131_072;

/** `SEC_E_INTERNAL_ERROR`, by which Windows also reports an alert that it has no status for. */
const INTERNAL_ERROR = 0x80090304;

/** How the input of a step stands after it. */
type Progress = "more" | "wait";

/** One connection. */
export class SchannelEngine implements TlsEngine {
  readonly #context: SecurityContext;
  readonly #range: VersionRange;
  readonly #flight = new ServerFlight();
  /** What came and wasn't taken yet. */
  #pending: Uint8Array = NOTHING;
  #started = false;
  /** Whether the server was shown the certificate although its names don't fit. */
  #insisted = false;
  #established = false;
  /** Whether a message of the handshake is under way inside the connection. */
  #settling = false;
  #isTls13 = false;
  /** Whether any plaintext has come. */
  #opened = false;
  #maximumMessage = 0;
  #freed = false;

  /** A connection by this context, which it owns, within these versions. */
  constructor(context: SecurityContext, range: VersionRange) {
    this.#context = context;
    this.#range = range;
  }

  async handshake(received: Uint8Array): Promise<HandshakeStep> {
    this.#assertOpen();
    this.#flight.read(received);
    // SChannel may wait for the rest of what it takes for a record.
    if (this.#flight.foreign) throw tlsError("EPROTO", "What the server says isn't TLS.");
    this.#keep(received);
    const flight: Uint8Array[] = [];
    try {
      return await this.#advance(flight);
    } catch (failure) {
      // The last flight isn't for a server that isn't who it should be.
      return { send: NOTHING, done: false, failure };
    }
  }

  async #advance(flight: Uint8Array[]): Promise<HandshakeStep> {
    while (true) {
      // A copy: SChannel decrypts in place, and may want all of it again.
      const input = this.#started ? this.#pending.slice() : undefined;
      this.#started = true;
      const step = await this.#context.advance(input);
      if (this.#freed) throw closed();
      flight.push(step.token);
      const send = () => concat(...flight);
      const taken = this.#take(step.extra);
      switch (handshakeMove(step.status)) {
        case "done":
          this.#consume(taken);
          await this.#finish();
          return { send: send(), done: true };
        case "continue":
          this.#consume(taken);
          if (this.#pending.length === 0) return { send: send(), done: false };
          if (taken === 0 && step.token.length === 0) throw stuck();
          break;
        case "wait":
          return { send: send(), done: false };
        case "again":
          if (this.#insisted) throw notPresented();
          this.#insisted = true;
          break;
        case "fail": {
          const what = "The TLS handshake failed";
          const failure = connectionFailure(what, step.status, this.#flight.alert);
          return { send: send(), done: false, failure };
        }
      }
    }
  }

  /** What must hold before a byte of the caller's goes out. */
  async #finish(): Promise<void> {
    const { version } = this.#flight;
    const { minVersion, maxVersion } = this.#range;
    if (version === undefined || version < minVersion || version > maxVersion) {
      throw tlsError("EPROTO", "The server chose a TLS version that wasn't asked for.");
    }
    if (this.#insisted && !this.#context.presentedCertificate()) throw notPresented();
    await this.#context.verifyServer();
    if (this.#freed) throw closed();
    this.#isTls13 = version === "TLSv1.3";
    this.#maximumMessage = this.#context.maximumMessage();
    this.#established = true;
  }

  decrypt(received: Uint8Array): Received {
    this.#assertEstablished();
    this.#keep(received);
    const data: Uint8Array[] = [];
    const send: Uint8Array[] = [];
    const result = (more: { ended?: boolean; failure?: unknown } = {}): Received => ({
      data,
      send: concat(...send),
      ended: false,
      ...more,
    });
    try {
      while (this.#pending.length > 0) {
        if (this.#settling) {
          if (this.#settle(send) === "wait") break;
          continue;
        }
        const record = this.#context.open(this.#pending);
        const move = recordMove(record.status);
        if (move === "wait") break;
        if (move === "fail") {
          return result({ failure: this.#recordFailure(record.status) });
        }
        const taken = this.#take(record.extra);
        if (record.data.length > 0) {
          this.#opened = true;
          data.push(record.data);
        }
        this.#consume(taken);
        if (move === "ended") return result({ ended: true });
        if (move === "settle") this.#beginSettling();
        else if (taken === 0) throw stuck();
      }
      return result();
    } catch (failure) {
      return result({ failure });
    }
  }

  /** The server judges the client's certificate of TLS 1.3 when the handshake is done for the client. */
  #recordFailure(status: number): Error {
    return this.#isTls13 && !this.#opened && status === INTERNAL_ERROR
      ? tlsError("ECONNRESET", "The server ended the connection with an alert that has no name.")
      : recordFailure("Decryption failed", status);
  }

  #beginSettling(): void {
    // RFC 5746 or not: nothing this client talks to has a reason to.
    if (!this.#isTls13) {
      throw tlsError("EPROTO", "The server asked for a renegotiation, which is refused.");
    }
    this.#settling = true;
  }

  /** Hands a message of TLS 1.3 to the handshake: a ticket, a new key. */
  #settle(send: Uint8Array[]): Progress {
    const step = this.#context.settle(this.#pending.slice());
    if (step.token.length > 0) send.push(step.token);
    const taken = this.#take(step.extra);
    const move = handshakeMove(step.status);
    if (move === "wait") return "wait";
    if (move !== "done" && move !== "continue") {
      throw connectionFailure("A message after the TLS handshake was refused", step.status);
    }
    this.#consume(taken);
    this.#settling = move === "continue";
    if (taken === 0) throw stuck();
    return "more";
  }

  encrypt(data: Uint8Array): Uint8Array {
    this.#assertEstablished();
    const records: Uint8Array[] = [];
    for (let start = 0; start < data.length; start += this.#maximumMessage) {
      const piece = data.subarray(start, start + this.#maximumMessage);
      const { status, record } = this.#context.seal(piece);
      if (status !== STATUS.OK) throw connectionFailure("Encryption failed", status);
      records.push(record);
    }
    return concat(...records);
  }

  end(): Uint8Array {
    this.#assertEstablished();
    return this.#context.shutdown().token;
  }

  free(): void {
    if (this.#freed) return;
    this.#freed = true;
    this.#context.free();
  }

  #keep(received: Uint8Array): void {
    if (received.length === 0) return;
    this.#pending = concat(this.#pending, received);
    if (!this.#established && this.#pending.length > MAX_PENDING) throw stuck();
  }

  /** How many bytes a call took of those pending. */
  #take(extra: number): number {
    if (extra < 0 || extra > this.#pending.length) throw stuck();
    return this.#pending.length - extra;
  }

  #consume(taken: number): void {
    this.#pending = this.#pending.subarray(taken);
  }

  #assertOpen(): void {
    if (this.#freed) throw closed();
  }

  #assertEstablished(): void {
    this.#assertOpen();
    if (!this.#established) throw tlsError("EPROTO", "The TLS handshake isn't done.");
  }
}

function closed(): Error {
  return tlsError("ERR_SOCKET_CLOSED", "The connection was ended.");
}

function stuck(): Error {
  return tlsError("EPROTO", "SChannel can't make anything of what the server sent.");
}

function notPresented(): KeyboundError {
  return new KeyboundError(
    "tls_credential_rejected",
    "The server asked for a certificate of another issuer, and Windows didn't present this one.",
  );
}
