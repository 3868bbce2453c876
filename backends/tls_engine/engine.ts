/**
 * TLS without a socket: bytes go in and bytes come out. One engine is one connection of a client.
 *
 * @module
 */

/** What a step of the handshake came to. */
export interface HandshakeStep {
  /** To be sent to the peer, also where the step failed: an alert says why. */
  readonly send: Uint8Array;
  /** Whether the handshake is done and the peer verified. */
  readonly done: boolean;
  /** Why there will be no connection. */
  readonly failure?: unknown;
}

/** What was made of received bytes. */
export interface Received {
  /** Plaintext, in order; the receiver owns it. */
  readonly data: readonly Uint8Array[];
  /** To be sent to the peer: answers of the protocol itself. */
  readonly send: Uint8Array;
  /** Whether the peer said that it sends no more (`close_notify`). */
  readonly ended: boolean;
  /** Why the connection can't go on; `data` is good all the same. */
  readonly failure?: unknown;
}

/** One connection. Nothing is called while a promise of it is pending, `free` excepted. */
export interface TlsEngine {
  /** Goes on with what the peer sent: nothing at first. */
  handshake(received: Uint8Array): HandshakeStep | Promise<HandshakeStep>;
  /** Plaintext out of what the peer sent; once the handshake is done. */
  decrypt(received: Uint8Array): Received;
  /** What to send so that the peer gets `data`; once the handshake is done. Throws. */
  encrypt(data: Uint8Array): Uint8Array;
  /** What to send to say that no more will come. */
  end(): Uint8Array;
  /** Gives back all it holds, at any time; a pending handshake fails. */
  free(): void;
}

/** Where a connection goes, for the checks that belong to it. */
export interface EngineTarget {
  /** Host name or IP address that the server's certificate must be for. */
  readonly host: string;
  /** What sessions to resume are kept under; none are without it. */
  readonly session?: string;
}
