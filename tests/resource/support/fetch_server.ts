/**
 * A server for handlers that take a `Request`: that of Deno or Bun, and a small one on Node.
 *
 * @module
 */

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

type Handler = (request: Request) => Promise<Response>;

/** A server that runs. */
export interface FetchServer {
  /** Its http origin. */
  readonly origin: string;
  /** Ends it. */
  close(): Promise<void>;
}

interface Runtimes {
  readonly Deno?: {
    serve(options: { port: number; hostname: string; onListen: () => void }, handler: Handler): {
      readonly addr: { readonly port: number };
      shutdown(): Promise<void>;
    };
  };
  readonly Bun?: {
    serve(options: { port: number; hostname: string; fetch: Handler }): {
      readonly port: number;
      stop(closeConnections: boolean): Promise<void>;
    };
  };
}

/** Starts the runtime's own server on 127.0.0.1. */
export async function serveFetch(handler: Handler): Promise<FetchServer> {
  const { Deno, Bun } = globalThis as Runtimes;
  const hostname = "127.0.0.1";
  if (Deno !== undefined) {
    const server = Deno.serve({ port: 0, hostname, onListen: () => {} }, handler);
    return { origin: `http://${hostname}:${server.addr.port}`, close: () => server.shutdown() };
  }
  if (Bun !== undefined) {
    const server = Bun.serve({ port: 0, hostname, fetch: handler });
    return { origin: `http://${hostname}:${server.port}`, close: () => server.stop(true) };
  }
  const server = createServer(async (incoming, outgoing) => {
    const headers = new Headers();
    for (let i = 0; i + 1 < incoming.rawHeaders.length; i += 2) {
      headers.append(incoming.rawHeaders[i]!, incoming.rawHeaders[i + 1]!);
    }
    const { method = "GET" } = incoming;
    const url = new URL(incoming.url!, `http://${hostname}`);
    const response = await handler(new Request(url, { method, headers }));
    outgoing.writeHead(response.status, Object.fromEntries(response.headers));
    outgoing.end(await response.text());
  }).listen(0, hostname);
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://${hostname}:${port}`,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}
