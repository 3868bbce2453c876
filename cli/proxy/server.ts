/**
 * The proxy itself: a request that is let in goes to the one upstream with token and certificate.
 *
 * @module
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { setTimeout } from "node:timers";
import { KeyboundError } from "../../src/errors.ts";
import type { ManagedIdentity } from "../../src/managed_identity_options.ts";
import {
  type AdmissionRules,
  headerMap,
  type Refusal,
  refusalOf,
  type RequestHead,
} from "./admission.ts";
import { requestBody, sendBody } from "./bodies.ts";
import { requestHeaders, responseHeaders, upstreamUrl } from "./forwarding.ts";

/** Largest head of a request, bytes. */
const MAX_HEADER_SIZE = 32_768;

/** What was done with a request. */
export interface Handled {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** Status of the answer. */
  readonly status: number;
  /** Why the proxy itself answered, where it did. */
  readonly error?: string;
  /** Milliseconds until the answer was complete. */
  readonly duration: number;
}

/** What a proxy is made of. */
export interface ProxyOptions {
  readonly identity: Pick<ManagedIdentity, "fetch">;
  /** What tokens are for. */
  readonly resource: string;
  /** The only server that requests go to: an https URL, perhaps with a path. */
  readonly upstream: URL;
  /** Whom it lets in; asked at each request. */
  readonly rules: () => AdmissionRules;
  /** Ends every request under way. */
  readonly signal: AbortSignal;
  /** Told of each request that was answered. */
  readonly onHandled: (handled: Handled) => void;
}

/** A server that doesn't listen yet. */
export function createProxy(options: ProxyOptions): Server {
  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    serve(request, response, options).catch(() => void response.destroy());
  };
  const server = createServer(
    { maxHeaderSize: MAX_HEADER_SIZE, requireHostHeader: false },
    onRequest,
  );
  // A long upload is none of our business; a head that doesn't come is (`headersTimeout`).
  server.requestTimeout = 0;
  // Nobody is told to go on before he has been let in.
  server.on("checkContinue", onRequest);
  server.on("connect", refuseSocket).on("upgrade", refuseSocket);
  server.on("clientError", (_, socket) => void socket.destroy());
  return server;

  function refuseSocket(request: IncomingMessage, socket: Duplex): void {
    const head = headOf(request);
    const { status, error } = refusalOf(head, options.rules()) ?? UPGRADE_REFUSED;
    socket.on("error", () => {});
    socket.end(`HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
    options.onHandled({ method: head.method, path: "-", status, error, duration: 0 });
  }
}

const UPGRADE_REFUSED: Refusal = {
  status: 501,
  error: "upgrade_refused",
  message: "This proxy speaks HTTP/1.1 only.",
};

const OUTSIDE: Refusal = {
  status: 400,
  error: "invalid_target",
  message: "The path leads out of the upstream's.",
};

function headOf({ method = "", url = "", rawHeaders }: IncomingMessage): RequestHead {
  return { method, target: url, headers: headerMap(rawHeaders) };
}

async function serve(
  request: IncomingMessage,
  response: ServerResponse,
  options: ProxyOptions,
): Promise<void> {
  const start = Date.now();
  const head = headOf(request);
  const { method, target } = head;
  const handled = (error?: string) =>
    options.onHandled({
      method,
      path: target.replace(/[?#].*$/s, ""),
      status: response.statusCode,
      duration: Date.now() - start,
      ...(error === undefined ? {} : { error }),
    });
  const url = upstreamUrl(options.upstream, target);
  const refusal = refusalOf(head, options.rules()) ?? (url === undefined ? OUTSIDE : undefined);
  if (refusal !== undefined || url === undefined) {
    refuse(request, response, refusal ?? OUTSIDE);
    return handled((refusal ?? OUTSIDE).error);
  }
  if (head.headers.has("expect")) response.writeContinue();
  const leaving = new AbortController();
  response.on("close", () => {
    if (!response.writableFinished) leaving.abort();
  });
  let answer: Response;
  try {
    answer = await forward(request, url, head, { ...options, signal: either(options, leaving) });
  } catch (error) {
    if (leaving.signal.aborted) return handled("client_left");
    const failure = failureOf(error);
    refuse(request, response, failure);
    return handled(failure.error);
  }
  try {
    response.writeHead(answer.status, answer.statusText, responseHeaders(answer.headers));
    await sendBody(answer.body, response);
  } catch {
    // What has come so far must not pass for the whole.
    response.destroy();
    return handled(leaving.signal.aborted ? "client_left" : "upstream_failed");
  }
  handled();
}

function either({ signal }: ProxyOptions, leaving: AbortController): AbortSignal {
  return AbortSignal.any([signal, leaving.signal]);
}

async function forward(
  request: IncomingMessage,
  url: URL,
  { method, headers }: RequestHead,
  { identity, resource, signal }: ProxyOptions,
): Promise<Response> {
  const body = await requestBody(request);
  const streamed = body instanceof ReadableStream ? { duplex: "half" } : {};
  return await identity.fetch(url, {
    method,
    headers: requestHeaders(headers),
    ...(body === undefined ? {} : { body, ...streamed }),
    resource,
    signal,
  });
}

function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  { status, error, message, headers = {} }: Refusal,
): void {
  const text = `${JSON.stringify({ error, message })}\n`;
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    "keybound-error": error,
    connection: "close",
    ...headers,
  });
  response.end(request.method === "HEAD" ? undefined : text);
  // What a stranger goes on sending isn't read.
  response.once("finish", () => setTimeout(() => request.socket?.destroy(), LINGER).unref());
}

/** Milliseconds that a client has to read why it was refused, while it may still be sending. */
const LINGER = 500;

/** What the client is told of a failure: messages of the library hold no secrets, others may. */
function failureOf(error: unknown): Refusal {
  if (!(error instanceof KeyboundError)) {
    return { status: 502, error: "proxy_failed", message: "The request can't be forwarded." };
  }
  const { code, message } = error;
  if (code === "invalid_argument") return { status: 400, error: code, message };
  return { status: code === "request_timeout" ? 504 : 502, error: code, message };
}
