/**
 * What is to be done next, by the status that SChannel gave: pure decisions of the two loops that
 * a client of SChannel is made of.
 *
 * @module
 */

import { STATUS } from "./statuses.ts";

/**
 * After a step of the handshake:
 *
 * - `done`: the connection is there, but for the check of the server.
 * - `continue`: send what there is and go on with what is left or what the peer sends next.
 * - `wait`: the input isn't whole; all of it is needed again, with more.
 * - `again`: the same input once more: the server asked for a client certificate by names that the
 *   one at hand doesn't bear out, and is to be shown it all the same.
 * - `fail`: there will be no connection.
 */
export type HandshakeMove = "done" | "continue" | "wait" | "again" | "fail";

/** The move after this status of `InitializeSecurityContext`. */
export function handshakeMove(status: number): HandshakeMove {
  switch (status >>> 0) {
    case STATUS.OK:
      return "done";
    case STATUS.CONTINUE_NEEDED:
      return "continue";
    case STATUS.INCOMPLETE_MESSAGE:
      return "wait";
    case STATUS.INCOMPLETE_CREDENTIALS:
      return "again";
    default:
      return "fail";
  }
}

/**
 * After a record was decrypted:
 *
 * - `data`: it held plaintext.
 * - `wait`: it isn't whole yet.
 * - `settle`: a message of the handshake is for `InitializeSecurityContext`: under TLS 1.3 a session
 *   ticket or a new key, under TLS 1.2 the wish for a new handshake.
 * - `ended`: the peer sends no more (`close_notify`).
 * - `fail`: the connection can't go on.
 */
export type RecordMove = "data" | "wait" | "settle" | "ended" | "fail";

/** The move after this status of `DecryptMessage`. */
export function recordMove(status: number): RecordMove {
  switch (status >>> 0) {
    case STATUS.OK:
      return "data";
    case STATUS.INCOMPLETE_MESSAGE:
      return "wait";
    case STATUS.RENEGOTIATE:
      return "settle";
    case STATUS.CONTEXT_EXPIRED:
      return "ended";
    default:
      return "fail";
  }
}
