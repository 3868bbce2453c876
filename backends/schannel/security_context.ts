/**
 * What the engine asks of a security context of SChannel: the seam between the loops, which are
 * plain TypeScript, and the calls.
 *
 * @module
 */

/** What a step of the handshake gave. */
export interface ContextStep {
  /** The status, as a `DWORD`. */
  readonly status: number;
  /** To be sent to the peer, an alert included. */
  readonly token: Uint8Array;
  /** How many bytes at the end of the input were not looked at (`SECBUFFER_EXTRA`). */
  readonly extra: number;
}

/** What was made of a record. */
export interface OpenedRecord {
  /** The status, as a `DWORD`. */
  readonly status: number;
  /** Its plaintext; the receiver owns it. */
  readonly data: Uint8Array;
  /** How many bytes at the end of the input were not looked at (`SECBUFFER_EXTRA`). */
  readonly extra: number;
}

/** What was made of plaintext. */
export interface SealedRecord {
  /** The status, as a `DWORD`. */
  readonly status: number;
  /** The record. */
  readonly record: Uint8Array;
}

/** A client's side of one connection. Nothing but `free` is called while a promise is pending. */
export interface SecurityContext {
  /** A step of the handshake with this input; nothing at first. On another thread: it signs. */
  advance(input: Uint8Array | undefined): Promise<ContextStep>;
  /** A step with what came after the handshake. */
  settle(input: Uint8Array): ContextStep;
  /** Longest plaintext of a record, bytes; once the handshake is done. Throws. */
  maximumMessage(): number;
  /** Rejects unless the server is who it should be. */
  verifyServer(): Promise<void>;
  /** Whether the client's certificate is part of the connection. */
  presentedCertificate(): boolean;
  /** Opens the first record of `input`, in place: `input` isn't good for anything else then. */
  open(input: Uint8Array): OpenedRecord;
  /** Seals plaintext of one record. */
  seal(data: Uint8Array): SealedRecord;
  /** `close_notify`. */
  shutdown(): ContextStep;
  /** Gives back all it holds, at any time: when a call on another thread has come back. */
  free(): void;
}
