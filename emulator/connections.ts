/**
 * The TCP connections of a listener: numbered, and ended on demand.
 *
 * @module
 */

import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { Peer } from "./peer.ts";
import type { Closing } from "./steps.ts";

/** One TCP connection. */
export interface Connection {
  /** 1 for the first of the emulator. */
  readonly number: number;
  /** The TCP socket, beneath any TLS. */
  readonly socket: Socket;
  /** What requests come over: the TLS socket once its handshake is done, else the TCP socket. */
  stream: Duplex;
  /** Requests it has carried. */
  requests: number;
  /** TLS version, on mTLS listeners. */
  tlsVersion: string | null;
  /** Client certificate presented, on mTLS listeners. */
  peer: Peer | undefined;
  /** Whether it is about to end without any answer. */
  refused: boolean;
}

/** Hands out connection numbers, one series for all listeners. */
export type Numbering = () => number;

/** A series that starts with 1. */
export function numbering(): Numbering {
  let last = 0;
  return () => ++last;
}

/** The open connections of one listener. */
export class Connections {
  readonly #next: Numbering;
  readonly #open = new Map<number, Connection>();

  /** No connections yet. */
  constructor(next: Numbering) {
    this.#next = next;
  }

  /** A connection just accepted; `undefined` where it is gone already. */
  accept(socket: Socket): Connection | undefined {
    const { remotePort } = socket;
    if (remotePort === undefined) return undefined;
    const connection = {
      number: this.#next(),
      socket,
      stream: socket,
      requests: 0,
      tlsVersion: null,
      peer: undefined,
      refused: false,
    };
    this.#open.set(remotePort, connection);
    socket.once("close", () => {
      // The port may belong to the next connection by now.
      if (this.#open.get(remotePort) === connection) this.#open.delete(remotePort);
    });
    return connection;
  }

  /** The connection that a request, or the TLS stream beneath it, came over. */
  of(stream: { readonly remotePort?: number | undefined }): Connection | undefined {
    return stream.remotePort === undefined ? undefined : this.#open.get(stream.remotePort);
  }

  /** Ends every connection. */
  endAll(how: Closing): void {
    for (const connection of this.#open.values()) endConnection(connection, how);
  }
}

/**
 * Ends a connection at the TCP level, over TLS without a close_notify, in the next turn: a TLS
 * engine must not lose its socket while it is at work on it.
 */
export function endConnection({ socket, stream }: Connection, how: Closing): void {
  setImmediate(() => {
    // A socket that is shutting down can't be reset any more, and one that fails to be never closes.
    const closing = socket.writableEnded || stream.writableEnded;
    if (how === "reset" && !closing) socket.resetAndDestroy();
    else socket.destroy();
  });
}
