/**
 * The connections of each client credential, kept apart and bounded in number.
 *
 * @module
 */

import type { Agent } from "node:https";
import type { ClientCredential } from "../../src/credential.ts";
import type { TlsVersion } from "../../src/transports.ts";

/** The agents of one credential: connections made by one never carry another's certificate. */
export interface CredentialAgents {
  /** Keeps connections alive. */
  readonly pooled: Agent;
  /** One connection a request, with a full handshake. */
  readonly fresh: Agent;
  /** Gives back what isn't a connection: no new one will be asked for. */
  dispose?(): void;
}

/** TLS versions to negotiate. */
export interface VersionRange {
  readonly minVersion: TlsVersion;
  readonly maxVersion: TlsVersion;
}

/** Makes the agents of a credential. */
export type CreateAgents = (
  credential: ClientCredential,
  versions: VersionRange,
) => Promise<CredentialAgents>;

interface Entry {
  readonly thumbprint: string;
  readonly agents: Promise<CredentialAgents>;
}

/** Holds the agents of the credentials used last. */
export class Connections {
  readonly #create: CreateAgents;
  readonly #maxCredentials: number;
  /** In order of use, the one used longest ago first. */
  readonly #entries = new Map<string, Entry>();

  /** No connections yet. */
  constructor(create: CreateAgents, maxCredentials: number) {
    this.#create = create;
    this.#maxCredentials = maxCredentials;
  }

  /** The agents of this credential, made on first use. Rejects as their making does. */
  async agents(credential: ClientCredential, versions: VersionRange): Promise<CredentialAgents> {
    const { thumbprint } = credential;
    const name = `${thumbprint} ${versions.minVersion} ${versions.maxVersion}`;
    const held = this.#entries.get(name);
    const entry = held ?? { thumbprint, agents: this.#create(credential, versions) };
    this.#entries.delete(name);
    this.#entries.set(name, entry);
    this.#evict();
    try {
      return await entry.agents;
    } catch (error) {
      if (this.#entries.get(name) === entry) this.#entries.delete(name);
      throw error;
    }
  }

  /** Lets go of a credential; requests under way keep their connections until they are done. */
  retire(thumbprint: string): void {
    for (const [name, entry] of this.#entries) {
      if (entry.thumbprint === thumbprint) this.#drop(name, entry);
    }
  }

  /** Lets go of all; resolves when it is done. */
  async retireAll(): Promise<void> {
    const dropped = [...this.#entries].map(([name, entry]) => this.#drop(name, entry));
    await Promise.all(dropped);
  }

  #evict(): void {
    for (const [name, entry] of this.#entries) {
      if (this.#entries.size <= this.#maxCredentials) return;
      this.#drop(name, entry);
    }
  }

  #drop(name: string, entry: Entry): Promise<void> {
    this.#entries.delete(name);
    return entry.agents.then(retirePool, () => {});
  }
}

/**
 * Closes what is idle and keeps nothing that comes back. `Agent.destroy` would also end the
 * connections that carry a request.
 */
function retirePool(agents: CredentialAgents): void {
  const { pooled } = agents;
  pooled.maxFreeSockets = 0;
  for (const sockets of Object.values(pooled.freeSockets)) {
    for (const socket of [...(sockets ?? [])]) socket.destroy();
  }
  agents.dispose?.();
}
