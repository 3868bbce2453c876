/**
 * A TCP relay on loopback that breaks, delays or damages connections at a byte of one's choice.
 *
 * @module
 */

import { connect, createServer, type Server, type Socket } from "node:net";

/** Which way bytes go: from the client, or to it. */
export type Direction = "request" | "response";

/** How both ends see the connection end: RST, or FIN. */
export type Ending = "reset" | "fin";

/** What happens to one connection. Positions count from the bytes that took the fault. */
export type WireFault =
  /** The connection ends when this many bytes have gone through. */
  | {
    readonly kind: "cut";
    readonly way: Direction;
    readonly at: number;
    readonly ending: Ending;
  }
  /** Nothing goes on from this byte for so many milliseconds, or ever. */
  | {
    readonly kind: "hold";
    readonly way: Direction;
    readonly at: number;
    readonly ms: number;
    readonly forever?: boolean;
  }
  /** The response comes in pieces of so many bytes, so many milliseconds apart. */
  | { readonly kind: "drip"; readonly piece: number; readonly ms: number }
  /** One bit of the byte at this position is another one. */
  | { readonly kind: "flip"; readonly way: Direction; readonly at: number };

/** Bytes that went through a connection. */
export type Passage = Record<Direction, number>;

interface Connection {
  readonly client: Socket;
  readonly server: Socket;
  readonly passage: Passage;
  /** What is yet to happen, and where the positions start. */
  fault: { readonly act: WireFault; readonly start: Passage } | undefined;
  over: boolean;
}

/** A relay to one port of 127.0.0.1. */
export class CuttingProxy {
  /** Where it listens on 127.0.0.1. */
  readonly port: number;
  /** The bytes of each connection so far, oldest first. */
  readonly passages: Passage[] = [];
  readonly #server: Server;
  readonly #wait: (ms: number) => Promise<void>;
  readonly #connections = new Set<Connection>();
  #faults: WireFault[] = [];

  private constructor(server: Server, port: number, wait: (ms: number) => Promise<void>) {
    this.#server = server;
    this.port = port;
    this.#wait = wait;
  }

  /** Starts a relay to `target`, a port of 127.0.0.1, whose delays are waited for by `wait`. */
  static async start(target: number, wait: (ms: number) => Promise<void>): Promise<CuttingProxy> {
    const server = createServer({ noDelay: true, allowHalfOpen: true });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, "127.0.0.1", () => resolve());
    });
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const proxy = new CuttingProxy(server, port, wait);
    server.on("connection", (client) => proxy.#accept(client, target));
    return proxy;
  }

  /** The next connections over which a client sends something take these, one each. */
  arm(...faults: readonly WireFault[]): void {
    this.#faults.push(...faults);
  }

  /** How many faults nobody has taken. */
  get armed(): number {
    return this.#faults.length;
  }

  /** From now on everything goes through. */
  disarm(): void {
    this.#faults = [];
    for (const connection of this.#connections) connection.fault = undefined;
  }

  /** Ends every connection, and the relay. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const connection of this.#connections) this.#end(connection, "fin");
    await closed;
  }

  #accept(client: Socket, target: number): void {
    const server = connect({ port: target, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
    const passage = { request: 0, response: 0 };
    const connection = { client, server, passage, fault: undefined, over: false };
    this.passages.push(passage);
    this.#connections.add(connection);
    this.#relay(connection, "request");
    this.#relay(connection, "response");
  }

  async #relay(connection: Connection, way: Direction): Promise<void> {
    const { client, server } = connection;
    const [from, to] = way === "request" ? [client, server] : [server, client];
    from.on("error", () => this.#end(connection, "reset"));
    try {
      for await (const chunk of from) {
        if (way === "request") connection.fault ??= this.#take(connection);
        await this.#pass(connection, way, chunk, to);
        if (connection.over) return;
      }
      to.end();
    } catch {
      this.#end(connection, "reset");
    } finally {
      if (client.destroyed || server.destroyed) this.#connections.delete(connection);
    }
  }

  #take({ passage }: Connection): Connection["fault"] {
    const act = this.#faults.shift();
    return act && { act, start: { ...passage } };
  }

  /** Sends a chunk on, with what is to happen to it. */
  async #pass(
    connection: Connection,
    way: Direction,
    chunk: Uint8Array,
    to: Socket,
  ): Promise<void> {
    const { fault } = connection;
    const send = async (bytes: Uint8Array) => {
      if (bytes.length === 0 || connection.over) return;
      connection.passage[way] += bytes.length;
      await new Promise<void>((resolve) => to.write(bytes, () => resolve()));
    };
    if (fault === undefined) return await send(chunk);
    const { act, start } = fault;
    if (act.kind === "drip") {
      if (way === "request") return await send(chunk);
      for (let at = 0; at < chunk.length && !connection.over; at += act.piece) {
        await send(chunk.subarray(at, at + act.piece));
        if (connection.fault === fault) await this.#wait(act.ms);
      }
      return;
    }
    const at = act.at - (connection.passage[way] - start[way]);
    if (act.way !== way || at >= chunk.length) return await send(chunk);
    connection.fault = undefined;
    if (act.kind === "flip") {
      const damaged = Uint8Array.from(chunk);
      damaged[at]! ^= 0x04;
      return await send(damaged);
    }
    await send(chunk.subarray(0, at));
    if (act.kind === "cut") return this.#end(connection, act.ending);
    await this.#wait(act.ms);
    if (act.forever === true) await new Promise<void>((resolve) => to.once("close", resolve));
    else await send(chunk.subarray(at));
  }

  #end(connection: Connection, ending: Ending): void {
    if (connection.over) return;
    connection.over = true;
    this.#connections.delete(connection);
    for (const socket of [connection.client, connection.server]) {
      if (ending === "reset" && !socket.destroyed && !socket.writableEnded) {
        socket.resetAndDestroy();
      } else socket.destroy();
    }
  }
}
