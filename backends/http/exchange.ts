/**
 * One request and its response over `node:https`.
 *
 * @module
 */

import type { ClientRequest, IncomingMessage } from "node:http";
import { type Agent, request as httpsRequest } from "node:https";
import type { Clock } from "../../src/clock.ts";
import type { Bytes } from "../../src/encoding.ts";
import { KeyboundError } from "../../src/errors.ts";
import { requestHeaders, responseHeaders } from "./headers.ts";
import { Progress } from "./progress.ts";
import type { RequestBody } from "./request_body.ts";
import { responseBody } from "./response_body.ts";

/** Largest response head that is taken, in bytes. */
const MAX_HEADER_SIZE = 32_768;

/** What an exchange needs besides the request. */
export interface ExchangeOptions {
  readonly agent: Agent;
  /** Milliseconds until the connection must be secure. */
  readonly connectTimeout: number;
  readonly clock: Clock;
  /** Ends the exchange, the response's body included, with the signal's reason. */
  readonly signal: AbortSignal;
  /** Told once, when the last byte has come or never will. */
  onSettled(): void;
}

/**
 * The response. Rejects with a `TransportError`, the signal's reason, `invalid_argument` for
 * headers that can't be sent, or whatever the client's key or the request's body fails with.
 */
export function exchange(
  request: Request,
  body: RequestBody,
  options: ExchangeOptions,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const { signal } = options;
    signal.throwIfAborted();
    const outgoing = open(request, body, options.agent);
    const connecting = new AbortController();
    let sending: "not yet" | "under way" | "done" = "not yet";
    let answered = false;
    let settled = false;
    /** Where a failure goes: to the caller, later to the reader of the response's body. */
    let fail = reject;

    const settle = () => {
      if (settled) return;
      settled = true;
      connecting.abort();
      signal.removeEventListener("abort", onAbort);
      options.onSettled();
    };
    const giveUp = (reason?: unknown) => {
      fail(reason);
      settle();
      body.cancel(reason);
      outgoing.destroy();
    };
    const onAbort = () => giveUp(signal.reason);

    // The request goes out when the server has been verified, not a byte of it before.
    const progress = new Progress(outgoing, () => {
      connecting.abort();
      if (sending !== "not yet") return;
      sending = "under way";
      body.writeTo(outgoing).then(() => sending = "done").catch(giveUp);
    });
    // Stays for good: an error without a listener would end the process.
    outgoing.on("error", (cause) => {
      if (!settled) giveUp(progress.failure(cause));
    });
    // Neither is there an answer to come, nor does every runtime say so by an error.
    outgoing.once("upgrade", () => giveUp(progress.failure(switchedProtocol())));
    outgoing.once("close", () => {
      if (!answered && !settled) giveUp(progress.failure(endedEarly()));
    });
    outgoing.once("response", (message: IncomingMessage) => {
      if (settled) return;
      answered = true;
      try {
        const empty = isEmpty(request, message);
        const incoming = responseBody(message, {
          onEnd() {
            settle();
            // The server has said all it has to say: nobody waits for the rest of the request.
            if (sending !== "done") giveUp();
            // Not before, so that its connection is free again for the next request.
            if (empty) resolve(toResponse(message, null));
          },
          onCancel: giveUp,
          onFailure: (cause) => giveUp(progress.failure(cause ?? endedEarly())),
        });
        if (empty) return;
        resolve(toResponse(message, incoming.stream));
        fail = incoming.fail;
      } catch (cause) {
        giveUp(progress.failure(cause));
      }
    });
    signal.addEventListener("abort", onAbort, { once: true });
    options.clock.sleep(options.connectTimeout, connecting.signal).then(
      () => giveUp(progress.failure(connectTimedOut(options.connectTimeout))),
      () => {},
    );
  });
}

function open(request: Request, body: RequestBody, agent: Agent): ClientRequest {
  try {
    return httpsRequest(new URL(request.url), {
      agent,
      method: request.method,
      headers: requestHeaders(request.headers, body.length),
      maxHeaderSize: MAX_HEADER_SIZE,
    });
  } catch (cause) {
    if (/^ERR_(INVALID|HTTP|UNESCAPED)_/.test((cause as { code?: string }).code ?? "")) {
      throw new KeyboundError(
        "invalid_argument",
        "The method or a header of the request can't be sent over HTTP/1.1.",
        { cause },
      );
    }
    throw new KeyboundError(
      "transport_not_available",
      "The runtime doesn't let this program do TLS. Give it the permissions that the README lists.",
      { cause },
    );
  }
}

function isEmpty({ method }: Request, { statusCode = 0 }: IncomingMessage): boolean {
  return method === "HEAD" || [204, 205, 304].includes(statusCode);
}

function toResponse(message: IncomingMessage, body: ReadableStream<Bytes> | null): Response {
  const { statusCode: status = 0, statusMessage: statusText = "", rawHeaders } = message;
  return new Response(body, { status, statusText, headers: responseHeaders(rawHeaders) });
}

function endedEarly(): Error {
  return Object.assign(new Error("The connection ended before the response was complete."), {
    code: "ECONNRESET",
  });
}

function switchedProtocol(): Error {
  return Object.assign(new Error("The server switched to a protocol that nobody asked for."), {
    code: "EPROTO",
  });
}

function connectTimedOut(ms: number): Error {
  const error = new Error(`There was no secure connection within ${ms} ms.`);
  error.name = "TimeoutError";
  return error;
}
