/**
 * The server process of TLS tests. Runs on Node, the one runtime whose servers ask for client
 * certificates and reset connections as told. Reads its orders from the first line of standard
 * input and ends when that is closed.
 *
 * @module
 */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from "node:net";
import { createInterface } from "node:readline";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { Worker } from "node:worker_threads";
import { type Closing, rejectHandshake, resetAfter } from "../../emulator/tls_fault/mod.ts";
import type {
  DeafSpec,
  FaultSpec,
  HttpsSpec,
  RequestReport,
  ServerEvent,
  ServerSpec,
  ServerSpecs,
  TlsSpec,
} from "./tls_protocol.ts";

/** What is known of a connection, by the port the client has it from. */
interface Connection {
  readonly number: number;
  readonly tcp: Socket;
  requests: number;
}

type Connections = Map<number | undefined, Connection>;

function tell(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

function emit(server: string, event: ServerEvent["event"], connection: number, more = {}): void {
  tell({ server, event, connection, ...more });
}

/** Ends a connection below TLS, so that no close_notify is sent. */
function end(tcp: Socket, how: Closing): void {
  if (how === "reset") tcp.resetAndDestroy();
  else tcp.end();
}

/** A server that reports TCP connections and hands them on. */
function listen(
  name: string,
  connections: Connections,
  handle: (socket: Socket, connection: Connection) => void,
): Server {
  let number = 0;
  return createTcpServer((tcp) => {
    const connection = { number: ++number, tcp, requests: 0 };
    const { remotePort } = tcp;
    connections.set(remotePort, connection);
    tcp.on("error", () => {});
    tcp.on("close", () => {
      connections.delete(remotePort);
      emit(name, "closed", connection.number);
    });
    emit(name, "connection", connection.number);
    handle(tcp, connection);
  });
}

function httpsServer(name: string, spec: HttpsSpec): Server {
  const connections: Connections = new Map();
  const server = createHttpsServer({
    cert: spec.cert,
    key: spec.key,
    ca: spec.clientCa,
    requestCert: true,
    rejectUnauthorized: spec.rejectUnauthorized ?? true,
    ...(spec.minVersion === undefined ? {} : { minVersion: spec.minVersion }),
    ...(spec.maxVersion === undefined ? {} : { maxVersion: spec.maxVersion }),
    keepAliveTimeout: 0,
  }, async (request, response) => {
    const connection = connections.get(request.socket.remotePort)!;
    connection.requests++;
    response.on("error", () => {});
    request.on("error", () => {});
    const [path, argument] = (request.url ?? "").slice(1).split("/") as [string, string];
    const answer = ANSWERS[path];
    if (answer === undefined) return void response.writeHead(404).end();
    try {
      const body = await read(request);
      emit(name, "request", connection.number, { path: request.url });
      await answer({ request, response, connection, body, argument });
    } catch {
      // The client went away.
    }
  });
  server.on("tlsClientError", () => {});
  server.on("secureConnection", (socket: TLSSocket) => {
    const { number } = connections.get(socket.remotePort)!;
    socket.on("error", () => {});
    socket.on("data", () => emit(name, "data", number));
  });
  return listen(name, connections, (tcp) => server.emit("connection", tcp));
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly connection: Connection;
  readonly body: string;
  /** What comes after the first part of the path. */
  readonly argument: string;
}

let streamed = 0;

/** What the server does, by the first part of the path. */
const ANSWERS: Readonly<Record<string, (exchange: Exchange) => void | Promise<void>>> = {
  report(exchange) {
    const text = JSON.stringify(reportOf(exchange));
    // Said also after HEAD, or the client wouldn't keep the connection.
    exchange.response.writeHead(200, { "content-length": Buffer.byteLength(text) }).end(text);
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
  };
}

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

function tlsServer(name: string, spec: TlsSpec): Server {
  const { cert, key, version, send = "", close } = spec;
  const connections: Connections = new Map();
  const versions = { minVersion: version, maxVersion: version };
  const server = createTlsServer({
    cert,
    key,
    requestCert: true,
    rejectUnauthorized: false,
    ...versions,
  });
  server.on("tlsClientError", () => {});
  server.on("secureConnection", (socket) => {
    const { tcp } = connections.get(socket.remotePort)!;
    const act = () => {
      if (send === "") {
        if (close !== undefined) end(tcp, close);
      } else {
        socket.write(send, () => close !== undefined && end(tcp, close));
      }
    };
    socket.on("error", () => {});
    socket.resume();
    if (spec.await === "handshake") act();
    else socket.once("data", act);
  });
  return listen(name, connections, (tcp) => server.emit("connection", tcp));
}

function faultServer(name: string, spec: FaultSpec): Server {
  const { alert, at = "second_flight", close, version } = spec;
  const options = {
    chain: [Uint8Array.from(new X509Certificate(spec.cert).raw)],
    privateKey: createPrivateKey(spec.key),
    ...(version === undefined ? {} : { version }),
  };
  return listen(name, new Map(), async (tcp, { number }) => {
    const report = alert === undefined
      ? await resetAfter(tcp, at, close, options)
      : await rejectHandshake(tcp, { ...options, alert, close });
    const reached = report.reached === "second_flight";
    emit(name, "report", number, { certificates: reached ? report.clientChain.length : -1 });
  });
}

/** The port of a server that never accepts and whose queue is full: it drops every SYN. */
async function deafPort(): Promise<number> {
  const worker = new Worker(
    `const { parentPort } = require("node:worker_threads");
    const server = require("node:net").createServer();
    server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
      parentPort.postMessage(server.address().port);
      setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0));
    });`,
    { eval: true },
  );
  const [port] = await once(worker, "message") as [number];
  for (let queued = 0; queued < 2; queued++) await once(connect(port, "127.0.0.1"), "connect");
  return port;
}

function create(name: string, spec: Exclude<ServerSpec, DeafSpec>): Server {
  switch (spec.kind) {
    case "https":
      return httpsServer(name, spec);
    case "tls":
      return tlsServer(name, spec);
    case "fault":
      return faultServer(name, spec);
    case "silent":
      return listen(name, new Map(), (tcp) => void tcp.resume());
    case "plain_http":
      return listen(name, new Map(), (tcp) => {
        tcp.once("data", () => tcp.resume().end("HTTP/1.1 400 Bad Request\r\n\r\n"));
      });
  }
}

async function open(name: string, spec: ServerSpec): Promise<number> {
  if (spec.kind === "deaf") return await deafPort();
  const server = create(name, spec).listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

async function main(): Promise<void> {
  const input = createInterface({ input: process.stdin });
  // Whoever started this process has gone.
  input.on("close", () => process.exit(0));
  const [line] = await once(input, "line") as [string];
  const ports: Record<string, number> = {};
  for (const [name, spec] of Object.entries(JSON.parse(line) as ServerSpecs)) {
    ports[name] = await open(name, spec);
  }
  tell({ ports });
}

await main();
