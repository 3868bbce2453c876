/**
 * Loopback listeners: plain HTTP, and HTTPS that asks for a client certificate and can be made to
 * misbehave before any HTTP.
 *
 * @module
 */

import { createServer as createHttpServer, type RequestListener, type Server } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Server as TcpServer,
  type Socket,
} from "node:net";
import type { TLSSocket } from "node:tls";
import type { ServerIdentity } from "./authority.ts";
import { KeyboundError } from "../src/errors.ts";
import { type FaultIdentity, faultIdentity, performFault } from "./connection_faults.ts";
import { type Connection, Connections, endConnection, type Numbering } from "./connections.ts";
import { readPeer } from "./peer.ts";
import { Queue } from "./queue.ts";
import type { ConnectionFault } from "./steps.ts";

/** Milliseconds that an idle connection is kept, as Entra's front door does. */
const KEEP_ALIVE = 120_000;

/** A listener on 127.0.0.1. */
export interface Listener {
  readonly port: number;
  readonly connections: Connections;
  /** Ends the connections, then the listener. */
  close(): Promise<void>;
}

/** A listener that speaks TLS and asks for a client certificate. */
export interface MtlsListenerHandle extends Listener {
  readonly faults: Queue<ConnectionFault>;
  /** What to show of the server from now on, and the highest version to speak. */
  present(identity: ServerIdentity, maxVersion: "TLSv1.2" | "TLSv1.3"): void;
}

/** What a TLS listener does besides HTTP. */
export interface MtlsBehaviour {
  readonly identity: ServerIdentity;
  readonly maxVersion: "TLSv1.2" | "TLSv1.3";
  /** PEM of the CA whose client certificates are asked for. */
  readonly ca: string;
  /** Called for each TCP connection. */
  readonly onConnection: () => void;
  /** Whether a connection may go on when its handshake is done; it is reset otherwise. @default yes */
  readonly welcomes?: ((connection: Connection) => boolean) | undefined;
}

/** Makes the request listener of a server, given its connections. */
export type Serve = (connections: Connections) => RequestListener;

/** What every listener needs. Each rejects with `invalid_argument` for a port that can't be had. */
export interface ListenerParts {
  readonly serve: Serve;
  readonly next: Numbering;
  /** 0: any. */
  readonly port: number;
}

/** A plain HTTP listener. */
export async function listenHttp({ serve, next, port }: ListenerParts): Promise<Listener> {
  const connections = new Connections(next);
  const server = createHttpServer({ keepAliveTimeout: KEEP_ALIVE }, serve(connections));
  server.on("connection", (socket) => connections.accept(socket));
  return await listen(server, connections, port);
}

/** An HTTPS listener that asks for no client certificate. */
export async function listenHttps(
  { serve, next, port }: ListenerParts,
  identity: ServerIdentity,
): Promise<Listener> {
  const connections = new Connections(next);
  const server = createHttpsServer(
    { ...identity, minVersion: "TLSv1.2", keepAliveTimeout: KEEP_ALIVE },
    serve(connections),
  );
  server.on("connection", (socket: Socket) => connections.accept(socket));
  // Before the HTTP server's own listener, so that no request comes before its version is known.
  server.prependListener("secureConnection", (socket: TLSSocket) => {
    const connection = connections.of(socket);
    if (connection === undefined) return void socket.destroy();
    connection.stream = socket;
    connection.tlsVersion = socket.getProtocol();
  });
  return await listen(server, connections, port);
}

/** An HTTPS listener that asks for a client certificate and leaves its judgement to HTTP. */
export async function listenMtls(
  { serve, next, port }: ListenerParts,
  behaviour: MtlsBehaviour,
): Promise<MtlsListenerHandle> {
  const connections = new Connections(next);
  const faults = new Queue<ConnectionFault>();
  let shown: FaultIdentity = faultIdentity(behaviour.identity);
  const context = (identity: ServerIdentity, maxVersion: "TLSv1.2" | "TLSv1.3") => ({
    cert: identity.cert,
    key: identity.key,
    ca: behaviour.ca,
    minVersion: "TLSv1.2" as const,
    maxVersion,
  });
  const server = createHttpsServer({
    ...context(behaviour.identity, behaviour.maxVersion),
    requestCert: true,
    rejectUnauthorized: false,
    keepAliveTimeout: KEEP_ALIVE,
  }, serve(connections));
  // Before the HTTP server's own listener, so that no request comes before its certificate is read.
  server.prependListener("secureConnection", (socket: TLSSocket) => {
    const connection = connections.of(socket);
    if (connection === undefined) return void socket.destroy();
    connection.stream = socket;
    connection.tlsVersion = socket.getProtocol();
    connection.peer = readPeer(socket);
    if (behaviour.welcomes?.(connection) === false) {
      connection.refused = true;
      endConnection(connection, "reset");
    }
  });
  // The HTTPS server never listens: it gets the connections that are meant to work from this one.
  const front = createTcpServer({ noDelay: true }, (socket) => {
    behaviour.onConnection();
    socket.on("error", () => {}); // whoever reads from it will see it end
    if (connections.accept(socket) === undefined) return void socket.destroy();
    const fault = faults.take();
    if (fault === undefined || fault.kind === "pass") server.emit("connection", socket);
    else performFault(socket, fault, shown);
  });
  return {
    ...await listen(front, connections, port),
    faults,
    present(identity, maxVersion) {
      shown = faultIdentity(identity);
      server.setSecureContext(context(identity, maxVersion));
    },
  };
}

async function listen(
  server: Server | TcpServer,
  connections: Connections,
  port: number,
): Promise<Listener> {
  await new Promise<void>((resolve, reject) => {
    const fail = (cause: NodeJS.ErrnoException) => {
      const why = cause.code === "EADDRINUSE" ? "is taken" : "can't be had";
      reject(
        new KeyboundError("invalid_argument", `Port ${port} ${why}. Choose another.`, { cause }),
      );
    };
    server.once("error", fail);
    server.listen(port, "127.0.0.1", () => {
      server.off("error", fail);
      resolve();
    });
  });
  return {
    port: (server.address() as AddressInfo).port,
    connections,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        connections.endAll("fin");
      }),
  };
}
