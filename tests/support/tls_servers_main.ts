/**
 * The server process of TLS tests. Runs on Node, the one runtime whose servers ask for client
 * certificates and reset connections as told. Reads its orders from the first line of standard
 * input and ends when that is closed.
 *
 * @module
 */

import { createPrivateKey, X509Certificate } from "node:crypto";
import { once } from "node:events";
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
import { rejectHandshake, resetAfter } from "../../emulator/tls_fault/mod.ts";
import { ANSWERS, type Connection, end, read } from "./tls_answers.ts";
import type {
  DeafSpec,
  FaultSpec,
  HttpsSpec,
  ServerEvent,
  ServerSpec,
  ServerSpecs,
  TlsSpec,
} from "./tls_protocol.ts";

type Connections = Map<number | undefined, Connection>;

function tell(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

function emit(server: string, event: ServerEvent["event"], connection: number, more = {}): void {
  tell({ server, event, connection, ...more });
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
    rejectUnauthorized: true,
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
