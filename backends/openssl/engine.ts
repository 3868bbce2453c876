/**
 * The TLS engine over OpenSSL.
 *
 * @module
 */

import type { HandshakeStep, Received, TlsEngine } from "../tls_engine/engine.ts";
import type { Connection } from "./connection.ts";
import { tlsError } from "./errors.ts";
import type { Sessions } from "./sessions.ts";

/** A handshake, wherever it takes place. */
export interface Handshake {
  /** Goes on with what the peer sent. */
  step(received: Uint8Array): HandshakeStep | Promise<HandshakeStep>;
  /** The connection, once it is done; whoever asks owns it. */
  connection(): Connection;
  /** Gives it up, unless the connection has been handed over. */
  free(): void;
}

/** One connection: its handshake, then its data. */
export class OpensslEngine implements TlsEngine {
  readonly #handshake: Handshake;
  readonly #sessions: Sessions;
  #session: string | undefined;
  #connection: Connection | undefined;
  #freed = false;

  /** Keeps the session that comes of it under the name `session`. */
  constructor(handshake: Handshake, sessions: Sessions, session?: string) {
    this.#handshake = handshake;
    this.#sessions = sessions;
    this.#session = session;
  }

  handshake(received: Uint8Array): HandshakeStep | Promise<HandshakeStep> {
    const step = this.#handshake.step(received);
    return step instanceof Promise ? step.then((it) => this.#take(it)) : this.#take(step);
  }

  decrypt(received: Uint8Array): Received {
    const connection = this.#established();
    const result = connection.decrypt(received);
    // By now the server has sent its tickets, if it gives any: under TLS 1.3 they follow the
    // handshake.
    if (this.#session !== undefined && result.data.length > 0) {
      const session = connection.session();
      if (session !== undefined) this.#sessions.put(this.#session, session);
      this.#session = undefined;
    }
    return result;
  }

  encrypt(data: Uint8Array): Uint8Array {
    return this.#established().encrypt(data);
  }

  end(): Uint8Array {
    return this.#established().end();
  }

  free(): void {
    this.#freed = true;
    if (this.#connection === undefined) this.#handshake.free();
    else this.#connection.free();
  }

  #take(step: HandshakeStep): HandshakeStep {
    if (!step.done) return step;
    const connection = this.#handshake.connection();
    this.#connection = connection;
    if (this.#freed) connection.free();
    return step;
  }

  #established(): Connection {
    if (this.#connection !== undefined) return this.#connection;
    throw tlsError("EPROTO", "The TLS handshake isn't done.");
  }
}
