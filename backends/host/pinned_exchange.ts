/**
 * One request and its response over `node:https`, to a server with a certain certificate.
 *
 * The runtime's own verification is replaced, not left out: chain and name mean nothing for a
 * self-signed certificate, the exact certificate does. The TLS stack still has the server prove by
 * its handshake signature that it holds the certificate's key, on all three runtimes.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { ClientRequest, IncomingMessage } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import type { TLSSocket } from "node:tls";
import { type Bytes, equalBytes } from "../../src/encoding.ts";
import { KeyboundError } from "../../src/errors.ts";

const MAX_HEADER_SIZE = 32_768;

/**
 * The environment that an agent has its proxies from, which not every type of agents knows. With
 * `NODE_USE_ENV_PROXY`, Deno takes the process's for every agent that isn't given another.
 */
const NO_PROXIES = { proxyEnv: {} } as const;

/**
 * The response of the server whose certificate has this SHA-1. Rejects as the fetch of `pinnedFetch`
 * does.
 */
export function pinnedExchange(
  request: Request,
  body: Uint8Array,
  pin: Uint8Array,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const { signal } = request;
    signal.throwIfAborted();
    const outgoing = open(request, body.length);
    const onAbort = () => fail(signal.reason);
    let incoming: IncomingMessage | undefined;
    const fail = (reason: unknown) => {
      reject(reason);
      incoming?.destroy(reason instanceof Error ? reason : new Error("aborted"));
      outgoing.destroy();
    };
    signal.addEventListener("abort", onAbort, { once: true });
    outgoing.on("close", () => {
      signal.removeEventListener("abort", onAbort);
      // Not every runtime calls it an error.
      reject(cutShort());
    });
    outgoing.on("error", fail);
    let connections = 0;
    outgoing.on("socket", (socket: TLSSocket) => {
      // What is written goes to one connection. No runtime may take it to another.
      if (++connections > 1) return fail(new Error("The connection was replaced."));
      socket.once("secureConnect", () => {
        if (hasThumbprint(socket, pin)) outgoing.end(body.length === 0 ? undefined : body);
        else fail(untrusted());
      });
    });
    outgoing.once("response", (message: IncomingMessage) => {
      incoming = message;
      try {
        resolve(toResponse(message));
      } catch (error) {
        fail(error);
      }
    });
  });
}

/** Opens the connection; nothing is written before `end`. */
function open(request: Request, length: number): ClientRequest {
  const headers = Object.fromEntries(request.headers);
  if (length > 0) headers["content-length"] = String(length);
  return httpsRequest(new URL(request.url), {
    agent: new Agent({
      rejectUnauthorized: false,
      keepAlive: false,
      // A resumed session would come without its certificate.
      maxCachedSessions: 0,
      ...NO_PROXIES,
    }),
    minVersion: "TLSv1.2",
    method: request.method,
    headers,
    maxHeaderSize: MAX_HEADER_SIZE,
  });
}

/** The time this takes tells nothing of the pin. */
function hasThumbprint(socket: TLSSocket, pin: Uint8Array): boolean {
  const { raw } = socket.getPeerCertificate();
  return raw !== undefined && equalBytes(createHash("sha1").update(raw).digest(), pin);
}

function untrusted(): KeyboundError {
  return new KeyboundError(
    "tls_server_untrusted",
    "The server's certificate isn't the one with the thumbprint expected. Nothing was sent to it.",
  );
}

function toResponse(message: IncomingMessage): Response {
  const { statusCode: status = 0, rawHeaders } = message;
  const headers = new Headers();
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    headers.append(rawHeaders[i]!, rawHeaders[i + 1]!);
  }
  const empty = [204, 205, 304].includes(status);
  if (empty) message.resume();
  return new Response(empty ? null : responseBody(message), { status, headers });
}

/** The body; it fails where it ends before its end, however the runtime tells. */
function responseBody(message: IncomingMessage): ReadableStream<Bytes> {
  let over = false;
  const once = (act: () => void) => {
    if (!over) act();
    over = true;
  };
  return new ReadableStream<Bytes>({
    start(controller) {
      message.on("data", (chunk: Bytes) => {
        if (over) return;
        controller.enqueue(new Uint8Array(chunk));
        if ((controller.desiredSize ?? 0) <= 0) message.pause();
      });
      message.on("end", () => once(() => controller.close()));
      message.on("error", (error) => once(() => controller.error(error)));
      message.on("close", () => once(() => controller.error(cutShort())));
    },
    pull: () => void message.resume(),
    cancel: () => once(() => message.destroy()),
  }, new ByteLengthQueuingStrategy({ highWaterMark: 65_536 }));
}

function cutShort(): Error {
  return new Error("The connection ended before the response was complete.");
}
