/**
 * Connections that are made here, so that no runtime can make them to a proxy in their place.
 *
 * @module
 */

import { Agent } from "node:http";
import { connect, type Socket } from "node:net";

/** Where a connection goes, as `node:http` says it. */
interface Address {
  readonly host?: string | null | undefined;
  readonly port?: number | string | null | undefined;
}

/**
 * An agent whose connections go to the address they are asked for. One for each request: requests to
 * the metadata service are minutes to hours apart, and one that is closed meanwhile would look like
 * a service that resets.
 */
export class DirectConnections extends Agent {
  readonly #made = new WeakSet<Socket>();

  /** No connections yet. */
  constructor() {
    super({ keepAlive: false });
  }

  override createConnection({ host, port }: Address): Socket {
    const socket = connect({ host: host ?? "localhost", port: Number(port) });
    this.#made.add(socket);
    return socket;
  }

  /** Whether this agent made it. Runtimes have been seen that send a request over another one. */
  made(socket: Socket): boolean {
    return this.#made.has(socket);
  }
}
