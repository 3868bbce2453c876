/**
 * The connections of each client credential, kept apart and bounded in number.
 *
 * @module
 */

import { Agent, type AgentOptions } from "node:https";
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import type { ClientCredential } from "../../src/credential.ts";
import { KeyboundError } from "../../src/errors.ts";
import type { TlsVersion } from "../../src/transports.ts";
import { type ClientPem, clientPem } from "./client_pem.ts";

/** What all connections have in common. */
export interface ConnectionSettings {
  /** Trust anchors, one PEM certificate each, in place of those of the runtime. */
  readonly ca: string[] | undefined;
  /** How many credentials are held at once. */
  readonly maxCredentials: number;
  /** Milliseconds after which an idle connection is closed. */
  readonly keepAliveTimeout: number;
}

/** The agents of one credential: connections made by one never carry another's certificate. */
export interface CredentialAgents {
  /** Keeps connections alive. */
  readonly pooled: Agent;
  /** One connection a request, with a full handshake. */
  readonly fresh: Agent;
}

interface Entry {
  readonly thumbprint: string;
  readonly agents: Promise<CredentialAgents>;
}

/** TLS versions to negotiate. */
export interface VersionRange {
  readonly minVersion: TlsVersion;
  readonly maxVersion: TlsVersion;
}

/** Holds the agents of the credentials used last. */
export class Connections {
  readonly #settings: ConnectionSettings;
  /** In order of use, the one used longest ago first. */
  readonly #entries = new Map<string, Entry>();

  /** No connections yet. */
  constructor(settings: ConnectionSettings) {
    this.#settings = settings;
  }

  /**
   * The agents of this credential, made on first use. Rejects as {@linkcode clientPem} does, or with
   * `unsupported_key` for a pair that the TLS stack refuses.
   */
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

  /** Lets go of all. */
  retireAll(): void {
    for (const [name, entry] of this.#entries) this.#drop(name, entry);
  }

  async #create(credential: ClientCredential, versions: VersionRange): Promise<CredentialAgents> {
    const options = agentOptions(await clientPem(credential), versions, this.#settings);
    return {
      pooled: new Agent({
        ...options,
        keepAlive: true,
        maxFreeSockets: 16,
        timeout: this.#settings.keepAliveTimeout,
      }),
      fresh: new Agent({ ...options, keepAlive: false, maxCachedSessions: 0 }),
    };
  }

  #evict(): void {
    for (const [name, entry] of this.#entries) {
      if (this.#entries.size <= this.#settings.maxCredentials) return;
      this.#drop(name, entry);
    }
  }

  #drop(name: string, entry: Entry): void {
    this.#entries.delete(name);
    entry.agents.then(retirePool, () => {});
  }
}

/**
 * The key goes into the context and nowhere else: an agent would put it into the names of its
 * pools, and the runtime into its debug log.
 */
function agentOptions(
  pem: ClientPem,
  versions: VersionRange,
  { ca }: ConnectionSettings,
): AgentOptions {
  const secureContext = secureContextOf({ ...pem, ...versions, ...(ca ? { ca } : {}) });
  // On Deno this property holds the PEM as it is, for every log of the options to show.
  Object.defineProperty(secureContext, "context", { enumerable: false });
  return {
    secureContext,
    // Said aloud, so that NODE_TLS_REJECT_UNAUTHORIZED has no say.
    rejectUnauthorized: true,
  };
}

function secureContextOf(options: SecureContextOptions): SecureContext {
  try {
    return createSecureContext(options);
  } catch (cause) {
    throw new KeyboundError(
      "unsupported_key",
      "The runtime's TLS stack refuses the certificate or its key. Use RSA-2048, RSA-3072 or P-256.",
      { cause },
    );
  }
}

/**
 * Closes what is idle and keeps nothing that comes back. `Agent.destroy` would also end the
 * connections that carry a request.
 */
function retirePool({ pooled }: CredentialAgents): void {
  pooled.maxFreeSockets = 0;
  for (const sockets of Object.values(pooled.freeSockets)) {
    for (const socket of [...(sockets ?? [])]) socket.destroy();
  }
}
