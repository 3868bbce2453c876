/**
 * One connection of OpenSSL over memory: an `SSL` and its two BIOs.
 *
 * @module
 */

import { KeyboundError } from "../../src/errors.ts";
import type { HandshakeStep, Received } from "../tls_engine/engine.ts";
import { failureOf, receivedAlert, tlsError, verificationFailure } from "./errors.ts";
import type { Openssl } from "./openssl.ts";

/** Results of `SSL_get_error` (SSL_get_error(3)). */
const WANT_READ = 2;
const WANT_WRITE = 3;
const WANT_X509_LOOKUP = 4;
const ZERO_RETURN = 6;

/** Bytes of plaintext that are read into one buffer; more than one record. */
const READ_SIZE = 65_536;
/** Longest plaintext of a record (RFC 8446 section 5.1). */
const RECORD_SIZE = 16_384;

const NOTHING = new Uint8Array(0);

/** The native objects of a connection, as another thread of this process may go on with them. */
export interface ConnectionHandles {
  /** The `SSL`, which owns the BIOs. */
  readonly ssl: bigint;
  /** What the peer sent. */
  readonly incoming: bigint;
  /** What the peer is to be sent. */
  readonly outgoing: bigint;
}

/** A TLS client's side of one connection. One thread at a time uses it. */
export class Connection {
  readonly handles: ConnectionHandles;
  readonly #openssl: Openssl;
  /** Frees what it is built on. */
  readonly #onFree: () => void;
  #inside = false;
  #doomed = false;
  #freed = false;
  /** Of plaintext; what is handed out isn't written to again. */
  #buffer: Uint8Array = NOTHING;

  /** A connection over these handles, which it owns from now on. */
  constructor(openssl: Openssl, handles: ConnectionHandles, onFree: () => void = () => {}) {
    this.#openssl = openssl;
    this.handles = handles;
    this.#onFree = onFree;
    openssl.count("connection", 1);
    openssl.connections.add(this);
  }

  /**
   * A step of the handshake. `rethrow` throws what a callback of OpenSSL failed with; that is the
   * failure then.
   */
  handshake(received: Uint8Array, rethrow: () => void): HandshakeStep {
    const { crypto, ssl } = this.#openssl;
    return this.#guarded(() => {
      this.#put(received);
      crypto.ERR_clear_error();
      const result = ssl.SSL_do_handshake(this.handles.ssl);
      const failure = result === 1 ? undefined : this.#handshakeFailure(result, rethrow);
      const send = this.#take();
      return failure === undefined ? { send, done: result === 1 } : { send, done: false, failure };
    });
  }

  /** Plaintext out of what the peer sent. */
  decrypt(received: Uint8Array): Received {
    const { crypto, ssl } = this.#openssl;
    return this.#guarded(() => {
      this.#put(received);
      const data: Uint8Array[] = [];
      let start = 0;
      let end = 0;
      const flush = () => {
        if (end > start) data.push(this.#buffer.subarray(start, end));
        this.#buffer = this.#buffer.subarray(end);
        start = end = 0;
      };
      let result = 0;
      while (true) {
        if (this.#buffer.length - end < RECORD_SIZE) {
          flush();
          this.#buffer = new Uint8Array(READ_SIZE);
        }
        const room = end === 0 ? this.#buffer : this.#buffer.subarray(end);
        crypto.ERR_clear_error();
        result = ssl.SSL_read(this.handles.ssl, room, room.length);
        if (result <= 0) break;
        end += result;
      }
      flush();
      const error = ssl.SSL_get_error(this.handles.ssl, result);
      const waits = error === WANT_READ || error === WANT_WRITE;
      const ended = error === ZERO_RETURN;
      const failure = waits || ended ? undefined : this.#failure("The peer sent what isn't TLS");
      const send = this.#take();
      return failure === undefined ? { data, send, ended } : { data, send, ended, failure };
    });
  }

  /** What to send so that the peer gets `data`. */
  encrypt(data: Uint8Array): Uint8Array {
    const { crypto, ssl } = this.#openssl;
    return this.#guarded(() => {
      crypto.ERR_clear_error();
      // Memory takes it whole.
      const written = data.length === 0 ? 0 : ssl.SSL_write(this.handles.ssl, data, data.length);
      if (written !== data.length) throw this.#failure("OpenSSL couldn't encrypt");
      return this.#take();
    });
  }

  /** `close_notify`. */
  end(): Uint8Array {
    const { crypto, ssl } = this.#openssl;
    return this.#guarded(() => {
      crypto.ERR_clear_error();
      ssl.SSL_shutdown(this.handles.ssl);
      return this.#take();
    });
  }

  /** The session, to be freed by whoever asked; none where it can't be resumed. */
  session(): bigint | undefined {
    const { ssl } = this.#openssl;
    if (this.#freed) return undefined;
    const session = ssl.SSL_get1_session(this.handles.ssl);
    if (session === 0n) return undefined;
    if (ssl.SSL_SESSION_is_resumable(session) === 1) {
      this.#openssl.count("session", 1);
      return session;
    }
    ssl.SSL_SESSION_free(session);
    return undefined;
  }

  /** Whether the handshake resumed a session. */
  get resumed(): boolean {
    return this.#openssl.ssl.SSL_session_reused(this.handles.ssl) === 1;
  }

  /** Frees it, when OpenSSL has come back from a call that is under way. */
  free(): void {
    if (this.#freed) return;
    if (this.#inside) {
      this.#doomed = true;
      return;
    }
    this.release();
    this.#openssl.ssl.SSL_free(this.handles.ssl);
    this.#onFree();
  }

  /** Gives up ownership: another thread goes on with the handles. */
  release(): ConnectionHandles {
    this.#freed = true;
    this.#openssl.count("connection", -1);
    this.#openssl.connections.delete(this);
    return this.handles;
  }

  #guarded<T>(work: () => T): T {
    if (this.#freed || this.#doomed || this.#inside) {
      throw tlsError("ERR_SOCKET_CLOSED", "The connection was ended.");
    }
    this.#inside = true;
    try {
      return work();
    } finally {
      this.#inside = false;
      if (this.#doomed) this.free();
    }
  }

  #put(received: Uint8Array): void {
    if (received.length === 0) return;
    const { incoming } = this.handles;
    const written = this.#openssl.crypto.BIO_write(incoming, received, received.length);
    if (written !== received.length) throw tlsError("EPROTO", "OpenSSL is out of memory.");
  }

  #take(): Uint8Array {
    const { crypto } = this.#openssl;
    const pending = Number(crypto.BIO_ctrl_pending(this.handles.outgoing));
    if (pending === 0) return NOTHING;
    const bytes = new Uint8Array(pending);
    crypto.BIO_read(this.handles.outgoing, bytes, pending);
    return bytes;
  }

  #handshakeFailure(result: number, rethrow: () => void): unknown {
    const error = this.#openssl.ssl.SSL_get_error(this.handles.ssl, result);
    try {
      rethrow();
    } catch (reason) {
      return reason;
    }
    if (error === WANT_READ || error === WANT_WRITE) return undefined;
    if (error === WANT_X509_LOOKUP) {
      return new KeyboundError(
        "unsupported_scheme",
        "The server takes none of the signatures that the client's key can make.",
      );
    }
    return this.#failure("The TLS handshake failed");
  }

  #failure(what: string): Error {
    const errors = this.#openssl.errors();
    const verified = this.#openssl.ssl.SSL_get_verify_result(this.handles.ssl);
    // What the peer says comes first: it doesn't see what was found here until the alert is sent.
    if (verified === 0n || receivedAlert(errors) !== undefined) return failureOf(errors, what);
    return verificationFailure(Number(verified), this.#openssl.verificationText(verified));
  }
}
