/**
 * An agent that hands each request to the agent of the credential it belongs to.
 *
 * @module
 */

import type { ClientRequest } from "node:http";
import { Agent, type RequestOptions } from "node:https";
import type { Duplex } from "node:stream";
import type { ClientCredential } from "../../src/credential.ts";
import { KeyboundError } from "../../src/errors.ts";

/** What a {@linkcode KeyAgent} follows. */
export interface KeyAgentSource {
  /** The credential for this request. */
  credentialFor(request: ClientRequest): Promise<ClientCredential>;
  /** An agent for a credential. */
  agentOf(credential: ClientCredential): Promise<Agent>;
}

/** How runtimes give an agent a request; all do, and `agent-base` stands on it too. */
interface Accepting {
  addRequest(request: ClientRequest, options: RequestOptions): void;
}

/** Agents by thumbprint; connections of one never carry another's certificate. */
export class KeyAgent extends Agent {
  readonly #source: KeyAgentSource;
  readonly #agents = new Map<string, Agent>();
  readonly #making = new Map<string, Promise<Agent>>();
  #thumbprint: string | undefined;
  #destroyed = false;

  /** No connection yet. */
  constructor(source: KeyAgentSource, keepAlive: boolean) {
    super({ keepAlive });
    this.#source = source;
  }

  /** Called by the runtime for each request. */
  addRequest(request: ClientRequest, options: RequestOptions): void {
    this.#dispatch(request, verified(options))
      .catch((error) => accepting(new FailingAgent(error)).addRequest(request, options));
  }

  /** Closes all connections, those in use too; a request made afterwards fails with `closed`. */
  override destroy(): void {
    this.#destroyed = true;
    for (const agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
    super.destroy();
  }

  /** This credential is the one to use from now on: idle connections of others are closed. */
  follow({ thumbprint }: ClientCredential): void {
    if (this.#thumbprint === thumbprint) return;
    this.#thumbprint = thumbprint;
    for (const [name, agent] of this.#agents) {
      if (name !== thumbprint) retire(agent);
    }
  }

  async #dispatch(request: ClientRequest, options: RequestOptions): Promise<void> {
    this.#assertOpen();
    const credential = await this.#source.credentialFor(request);
    const { thumbprint } = credential;
    let agent: Agent | undefined;
    // Again where it was swept away before this request was on its way.
    while ((agent = this.#agents.get(thumbprint)) === undefined) await this.#make(credential);
    this.#assertOpen();
    if (thumbprint !== this.#thumbprint) retire(agent);
    accepting(agent).addRequest(request, options);
    this.#sweep();
  }

  /** Makes the agent of a credential, once however many requests wait for it. */
  async #make(credential: ClientCredential): Promise<void> {
    const { thumbprint } = credential;
    const making = this.#making.get(thumbprint) ?? this.#source.agentOf(credential);
    this.#making.set(thumbprint, making);
    try {
      const agent = await making;
      if (this.#destroyed) agent.destroy();
      this.#assertOpen();
      this.#agents.set(thumbprint, agent);
    } finally {
      this.#making.delete(thumbprint);
    }
  }

  #assertOpen(): void {
    if (!this.#destroyed) return;
    throw new KeyboundError("closed", "The agent was destroyed. Make a new one.");
  }

  /** Gives back what retired agents stood on, once their last request is done. */
  #sweep(): void {
    for (const [name, agent] of this.#agents) {
      if (name === this.#thumbprint || isBusy(agent)) continue;
      agent.destroy();
      this.#agents.delete(name);
    }
  }
}

/** Closes what is idle and keeps nothing that comes back; requests under way finish. */
function retire(agent: Agent): void {
  agent.maxFreeSockets = 0;
  for (const sockets of Object.values(agent.freeSockets)) {
    for (const socket of [...(sockets ?? [])]) socket.destroy();
  }
}

function isBusy({ sockets, requests }: Agent): boolean {
  return [sockets, requests].some((lists) =>
    Object.values(lists).some((list) => (list ?? []).length > 0)
  );
}

/** What a request may not bring: it would turn verification off, or show another certificate. */
const OF_THE_AGENT: ReadonlySet<string> = new Set([
  "ca",
  "cert",
  "checkServerIdentity",
  "key",
  "maxVersion",
  "minVersion",
  "passphrase",
  "pfx",
  "rejectUnauthorized",
  "secureContext",
  "secureProtocol",
]);

function verified(options: RequestOptions): RequestOptions {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !OF_THE_AGENT.has(name)));
}

/** The only way to fail a request that has no socket yet, on every runtime. */
class FailingAgent extends Agent {
  readonly #error: Error;

  constructor(error: unknown) {
    super();
    this.#error = error instanceof Error ? error : new Error("The credential can't be had.");
  }

  override createConnection(
    _options: RequestOptions,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    // There is no stream where there is an error, whatever the types say.
    (callback as ((error: Error) => void) | undefined)?.(this.#error);
  }
}

function accepting(agent: Agent): Accepting {
  return agent as Agent & Accepting;
}
