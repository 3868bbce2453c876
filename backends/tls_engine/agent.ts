/**
 * An `https.Agent` whose connections are those of a TLS engine.
 *
 * @module
 */

import type { ClientRequest } from "node:http";
import { Agent, type AgentOptions, type RequestOptions } from "node:https";
import { connect } from "node:net";
import type { Duplex } from "node:stream";
import type { EngineTarget, TlsEngine } from "./engine.ts";
import { TlsStream } from "./stream.ts";

/** What is known of a connection to be made. */
interface ConnectOptions extends RequestOptions {
  /** Name of the server, where it isn't the host's. */
  readonly servername?: string;
}

/** What an {@linkcode EngineAgent} needs. */
export interface EngineAgentOptions {
  /** An engine for a connection to this host. */
  open(target: EngineTarget): TlsEngine | Promise<TlsEngine>;
  /** Whether sessions are resumed. */
  readonly resume: boolean;
  /** Called once, when the agent is destroyed. */
  onDestroy?(): void;
}

/** Connections of one credential. They are pooled as `https.Agent` does it. */
export class EngineAgent extends Agent {
  readonly #engines: EngineAgentOptions;
  #destroyed = false;

  /** An agent with these options of `https.Agent`; those about TLS have no meaning here. */
  constructor(engines: EngineAgentOptions, options: AgentOptions) {
    super(options);
    this.#engines = engines;
  }

  /** A connection; TLS begins when TCP is there. */
  override createConnection(options: ConnectOptions): Duplex {
    const { host, port, localAddress, family, lookup } = options;
    const address = unbracketed(host ?? "localhost");
    const name = options.servername || address;
    const target = {
      host: name,
      ...(this.#engines.resume ? { session: `${name} ${address} ${port}` } : {}),
    };
    const socket = connect({
      host: address,
      port: Number(port ?? 443),
      ...(localAddress === undefined ? {} : { localAddress }),
      ...(family === undefined ? {} : { family }),
      ...(lookup === undefined ? {} : { lookup }),
    });
    return new TlsStream(socket, () => this.#engines.open(target));
  }

  /** Whoever speaks on an idle connection would be heard as the answer to the next request. */
  override keepSocketAlive(socket: Duplex): boolean {
    // Whether it is kept: the type doesn't know of the answer.
    const kept: unknown = super.keepSocketAlive(socket);
    socket.on("data", endUnasked);
    return kept !== false;
  }

  override reuseSocket(socket: Duplex, request: ClientRequest): void {
    socket.off("data", endUnasked);
    super.reuseSocket(socket, request);
  }

  override destroy(): void {
    super.destroy();
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#engines.onDestroy?.();
  }
}

function endUnasked(this: Duplex): void {
  this.destroy();
}

/** An IPv6 address as it is, not as it stands in a URL. */
function unbracketed(host: string): string {
  return host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
}
