/**
 * One request and its response over plain `node:http`, by a connection that goes where the URL says.
 *
 * @module
 */

import { type ClientRequest, type IncomingMessage, request as httpRequest } from "node:http";
import type { Socket } from "node:net";
import type { Bytes } from "../../src/encoding.ts";
import { KeyboundError } from "../../src/errors.ts";
import { requestHeaders, responseHeaders } from "../http/headers.ts";
import type { RequestBody } from "../http/request_body.ts";
import { responseBody } from "../http/response_body.ts";
import type { DirectConnections } from "./direct_connections.ts";

/** Largest response head that is taken, in bytes. */
const MAX_HEADER_SIZE = 32_768;

const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];

/**
 * The response; a redirect only where the request's mode is `manual`. Rejects with the signal's
 * reason, what the request's body fails with, `transport_not_available` where the runtime doesn't
 * use the connection, or else with a `TypeError` whose cause is the runtime's error. The response's
 * body fails likewise.
 */
export function directExchange(
  request: Request,
  body: RequestBody,
  connections: DirectConnections,
  signal: AbortSignal,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const outgoing = open(request, body, connections);
    let sent = false;
    let answered = false;
    let settled = false;
    /** Where a failure goes: to the caller, later to the reader of the response's body. */
    let fail = reject;

    const settle = () => {
      settled = true;
      signal.removeEventListener("abort", onAbort);
    };
    const giveUp = (reason: unknown) => {
      if (settled) return;
      settle();
      fail(reason);
      body.cancel(reason);
      outgoing.destroy();
    };
    const onAbort = () => giveUp(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });

    outgoing.on("socket", (socket: Socket) => {
      // Before a byte of the request: its headers may hold the source's secret.
      if (!connections.made(socket)) return giveUp(notDirect());
      socket.once("connect", () => {
        body.writeTo(outgoing).then(() => sent = true).catch(giveUp);
      });
    });
    // Stays for good: an error without a listener would end the process.
    outgoing.on("error", (cause) => giveUp(failed(cause)));
    outgoing.once("upgrade", (_message: IncomingMessage, socket: Socket) => {
      socket.destroy();
      giveUp(failed(new Error("The server switched to a protocol that nobody asked for.")));
    });
    // Not every runtime says so by an error.
    outgoing.once("close", () => {
      if (!answered) giveUp(failed(endedEarly()));
    });
    outgoing.once("response", (message: IncomingMessage) => {
      if (settled) return message.destroy();
      answered = true;
      try {
        const { statusCode: status = 0 } = message;
        if (request.redirect !== "manual" && REDIRECTS.includes(status)) {
          throw new Error(`The server redirects (HTTP ${status}), which isn't followed.`);
        }
        const incoming = responseBody(message, {
          onEnd() {
            // The server has said all it has to say: nobody waits for the rest of the request.
            if (!sent) giveUp(undefined);
            settle();
          },
          onCancel: () => giveUp(undefined),
          onFailure: (cause) => giveUp(failed(cause ?? endedEarly())),
        });
        const empty = request.method === "HEAD" || [204, 205, 304].includes(status);
        resolve(toResponse(message, empty ? null : incoming.stream));
        fail = incoming.fail;
      } catch (cause) {
        giveUp(failed(cause));
      }
    });
  });
}

function open(
  request: Request,
  body: RequestBody,
  agent: DirectConnections,
): ClientRequest {
  const { hostname, port, pathname, search } = new URL(request.url);
  try {
    return httpRequest({
      agent,
      host: hostname.replace(/^\[(.*)\]$/, "$1"),
      port: port === "" ? 80 : Number(port),
      path: pathname + search,
      method: request.method,
      // What comes is given on as it is: nothing here undoes an encoding.
      headers: { "accept-encoding": "identity", ...requestHeaders(request.headers, body.length) },
      maxHeaderSize: MAX_HEADER_SIZE,
    });
  } catch (cause) {
    throw failed(cause);
  }
}

function toResponse(message: IncomingMessage, body: ReadableStream<Bytes> | null): Response {
  const { statusCode: status = 0, statusMessage: statusText = "", rawHeaders } = message;
  return new Response(body, { status, statusText, headers: responseHeaders(rawHeaders) });
}

/** What `fetch` rejects with. */
function failed(cause: unknown): TypeError {
  return new TypeError("The request was not answered.", { cause });
}

function endedEarly(): Error {
  return Object.assign(new Error("The connection ended before the response was complete."), {
    code: "ECONNRESET",
  });
}

function notDirect(): KeyboundError {
  return new KeyboundError(
    "transport_not_available",
    "This runtime's node:http doesn't connect to the address it is given, so nothing was sent. " +
      "Use Bun 1.4 or later, Deno 2 or Node 20.",
  );
}
