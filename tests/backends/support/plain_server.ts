/**
 * A server of plain TCP that is told what to say to a whole HTTP request.
 *
 * @module
 */

import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";

/** What it saw, and its end. */
export interface PlainServer {
  /** Where it is. */
  readonly port: number;
  /** What came over each connection, in the order of the connections. */
  readonly received: readonly string[];
  /** Connections that are closed. */
  readonly closed: () => number;
  /** Ends it and its connections. */
  readonly close: () => Promise<void>;
}

/** Listens on loopback and calls `answer` once a connection, when its request is whole. */
export async function servePlain(
  answer: (socket: Socket, request: string) => void,
  host = "127.0.0.1",
): Promise<PlainServer> {
  const received: string[] = [];
  const sockets = new Set<Socket>();
  let closed = 0;
  const server = createServer((socket) => {
    const index = received.push("") - 1;
    sockets.add(socket);
    let answered = false;
    socket.on("error", () => {});
    socket.on("close", () => closed++);
    socket.on("data", (chunk) => {
      const request = received[index] += chunk.toString("latin1");
      if (answered || !isWhole(request)) return;
      answered = true;
      answer(socket, request);
    });
  });
  server.listen(0, host);
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    received,
    closed: () => closed,
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** Whether head and body are there; without a length or chunks, the head is all. */
function isWhole(request: string): boolean {
  const head = request.indexOf("\r\n\r\n") + 4;
  if (head < 4) return false;
  if (/\r\ntransfer-encoding: chunked\r\n/i.test(request)) return request.endsWith("0\r\n\r\n");
  const [, length = "0"] = /\r\ncontent-length: (\d+)/i.exec(request) ?? [];
  return request.length >= head + Number(length);
}
