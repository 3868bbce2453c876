/**
 * What agents of `node:https` expect of a connection besides its data.
 *
 * @module
 */

import type { Socket } from "node:net";
import { Duplex } from "node:stream";

/** A stream over a socket, with the methods of a `TLSSocket` that concern the socket alone. */
export class SocketStream extends Duplex {
  /** As with a `TLSSocket`. */
  readonly encrypted = true;
  /** Milliseconds of idleness that `setTimeout` was told. */
  timeout = 0;
  readonly #socket: Socket;

  /** Over `socket`; what goes through it is up to the class that extends this one. */
  constructor(socket: Socket) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    socket.on("timeout", () => this.emit("timeout"));
  }

  /**
   * As with a socket: `timeout` is emitted after so many milliseconds of idleness; 0 turns that off,
   * for the listener too.
   */
  setTimeout(ms: number, listener?: () => void): this {
    this.timeout = ms;
    this.#socket.setTimeout(ms);
    if (listener === undefined) return this;
    return ms === 0 ? this.off("timeout", listener) : this.once("timeout", listener);
  }

  /** As with a socket. */
  setNoDelay(noDelay?: boolean): this {
    this.#socket.setNoDelay(noDelay);
    return this;
  }

  /** As with a socket. */
  setKeepAlive(enable?: boolean, initialDelay?: number): this {
    this.#socket.setKeepAlive(enable, initialDelay);
    return this;
  }

  /** As with a socket: the process is kept running for it. */
  ref(): this {
    this.#socket.ref();
    return this;
  }

  /** As with a socket: the process isn't kept running for it. */
  unref(): this {
    this.#socket.unref();
    return this;
  }

  /** Address of the peer. */
  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress;
  }
}
