/**
 * What the HTTP servers of TLS tests answer.
 *
 * @module
 */

import { X509Certificate } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Closing } from "../../emulator/tls_fault/mod.ts";
import type { RequestReport } from "./tls_protocol.ts";

/** What is known of a connection, by the port the client has it from. */
export interface Connection {
  readonly number: number;
  readonly tcp: Socket;
  requests: number;
}

/** Ends a connection below TLS, so that no close_notify is sent. */
export function end(tcp: Socket, how: Closing): void {
  if (how === "reset") tcp.resetAndDestroy();
  else tcp.end();
}

/** A request that was read, and where its answer goes. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly connection: Connection;
  readonly body: string;
  /** What comes after the first part of the path. */
  readonly argument: string;
}

let streamed = 0;

/** What the server does, by the first part of the path. */
export const ANSWERS: Readonly<Record<string, (exchange: Exchange) => void | Promise<void>>> = {
  report(exchange) {
    const text = JSON.stringify(reportOf(exchange));
    // Said also after HEAD, or the client wouldn't keep the connection.
    exchange.response.writeHead(200, { "content-length": Buffer.byteLength(text) }).end(text);
  },
  /** The last answer of its connection. */
  closing({ response }) {
    response.shouldKeepAlive = false;
    response.end("closing");
  },
  /** Never answers. */
  hold() {},
  /** Answers after this many milliseconds. */
  late({ response, argument }) {
    setTimeout(() => response.end("late"), Number(argument));
  },
  /** Answers with this status. */
  status({ response, argument }) {
    const status = Number(argument);
    const location = status >= 300 && status < 400 ? { location: "/report" } : {};
    response.writeHead(status, location).end(status === 204 || status === 304 ? "" : "body");
  },
  /** Ends the connection without an answer. */
  drop({ connection, argument }) {
    end(connection.tcp, argument as Closing);
  },
  /** The first request of a connection is answered, the second ends it. */
  second(exchange) {
    if (exchange.connection.requests === 1) exchange.response.end("first");
    else end(exchange.connection.tcp, exchange.argument as Closing);
  },
  /** Half of the body, then the end of the connection. */
  truncate({ response, connection, argument }) {
    response.writeHead(200, { "content-length": 20 });
    response.write("0123456789", () => end(connection.tcp, argument as Closing));
  },
  /** Half of the body, then nothing. */
  stall({ response }) {
    response.writeHead(200, { "content-length": 20 });
    response.write("0123456789");
  },
  /** This many bytes, as fast as the client takes them. */
  async stream({ response, argument }) {
    const chunk = new Uint8Array(65_536).fill(120);
    streamed = 0;
    for (let left = Number(argument); left > 0; left -= chunk.length) {
      if (response.destroyed) return;
      streamed += Math.min(left, chunk.length);
      if (!response.write(chunk.subarray(0, left))) {
        await drained(response);
      }
    }
    response.end();
  },
  /** How many bytes of the last stream were written so far. */
  streamed({ response }) {
    response.end(String(streamed));
  },
  /** Headers that come more than once. */
  headers({ response }) {
    response.writeHead(
      200,
      [
        ["Set-Cookie", "a=1; Path=/"],
        ["Set-Cookie", "b=2"],
        ["X-Twice", "one"],
        ["X-Twice", "two"],
        ["X-Latin", "caf\u00e9"],
      ].flat(),
    ).end();
  },
  /** A head of this many bytes. */
  head({ response, argument }) {
    response.writeHead(200, { "x-padding": "x".repeat(Number(argument)) }).end();
  },
  /** Bytes that claim to be compressed. */
  compressed({ response }) {
    response.writeHead(200, { "content-encoding": "gzip" }).end("not gzip");
  },
  /** Informational answers before the real one. */
  hints({ response }) {
    response.writeProcessing();
    response.writeEarlyHints({ link: "</style.css>; rel=preload" });
    response.end("final");
  },
};

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off("drain", done).off("close", done);
      resolve();
    };
    response.on("drain", done).on("close", done);
  });
}

function reportOf({ request, connection, body }: Exchange): RequestReport {
  const socket = request.socket as TLSSocket;
  const { raw } = socket.getPeerCertificate();
  return {
    method: request.method ?? "",
    path: request.url ?? "",
    headers: request.rawHeaders,
    body,
    certificate: raw === undefined
      ? null
      : new X509Certificate(raw).fingerprint256.replaceAll(":", "").toLowerCase(),
    authorized: socket.authorized,
    protocol: socket.getProtocol() ?? "",
    connection: connection.number,
    request: connection.requests,
    sessionReused: socket.isSessionReused(),
    alpn: socket.alpnProtocol || null,
  };
}

/** The body of a request. */
export async function read(request: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
