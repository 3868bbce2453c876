/**
 * How far a request got, for the one who has to judge its failure.
 *
 * @module
 */

import type { ClientRequest } from "node:http";
import type { TLSSocket } from "node:tls";
import { isKeyboundError, type KeyboundError } from "../../src/errors.ts";
import { alertNumber, failureSignals, transportError } from "../../src/policy/failure.ts";
import type { TransportStage } from "../../src/transports.ts";

/** Watches a request on its way. */
export class Progress {
  #stage: TransportStage = "start";
  #reused = false;
  #responseStarted = false;

  /** Calls `onSecure` each time the request is given a connection that is ready to carry it. */
  constructor(request: ClientRequest, onSecure: () => void) {
    const secure = (socket: TLSSocket) => {
      // The runtime has seen to that; nothing goes out on its word alone.
      if (!socket.authorized) return;
      this.#stage = "secure";
      onSecure();
    };
    // More than once where the runtime goes on with another connection, as Deno does.
    request.on("socket", (socket: TLSSocket) => {
      this.#reused = request.reusedSocket;
      // The first bytes that a TLS socket yields are those of the response: handshake messages and
      // session tickets never show here.
      socket.prependOnceListener("data", () => this.#responseStarted = true);
      if (this.#reused) return secure(socket);
      this.#stage = "start";
      socket.once("connect", () => this.#stage = "tcp");
      socket.once("secureConnect", () => secure(socket));
    });
    request.on("response", () => {
      this.#stage = "headers";
      this.#responseStarted = true;
    });
  }

  /** What went wrong, with what was seen so far. What the client's key failed with stays as it is. */
  failure(cause: unknown): KeyboundError {
    if (isKeyboundError(cause)) return cause;
    const signals = failureSignals(cause);
    const alert = alertNumber(signals);
    return transportError({
      signals,
      stage: this.#stage,
      reusedConnection: this.#reused,
      responseStarted: this.#responseStarted,
      ...(alert === undefined ? {} : { alert }),
    }, cause);
  }
}
