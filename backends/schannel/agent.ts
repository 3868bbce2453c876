/**
 * An agent of `node:https` over SChannel.
 *
 * @module
 */

import { type Agent, type AgentOptions } from "node:https";
import type { ClientCredential } from "../../src/credential.ts";
import { KeyboundError } from "../../src/errors.ts";
import type { TlsVersion } from "../../src/transports.ts";
import { EngineAgent } from "../tls_engine/agent.ts";
import { assertAccepted, LazySchannel, type SchannelOptions } from "./options.ts";
import type { SchannelSource } from "./source.ts";

/** Options of {@linkcode schannelAgent}. */
export interface SchannelAgentOptions extends SchannelOptions {
  /** Lowest version to accept. @default "TLSv1.2" */
  minVersion?: TlsVersion;
  /** Highest version to offer. @default "TLSv1.3" */
  maxVersion?: TlsVersion;
  /** How the agent pools its connections. @default `{ keepAlive: true }` */
  agent?: Pick<AgentOptions, "keepAlive" | "maxFreeSockets" | "maxSockets" | "timeout">;
}

/**
 * An `https.Agent` that presents this credential, for `https.request`, axios, got and their like.
 * `destroy` gives back all it holds.
 *
 * A request fails as with {@linkcode schannelTransport}, but with the errors of the stack as they
 * are instead of a `TransportError`. Throws `transport_not_available` on other systems than Windows
 * and for a key that Windows doesn't find by name, and `invalid_pem`.
 *
 * @example
 * ```ts
 * const agent = schannelAgent(credential);
 * https.get("https://resource.example/", { agent }, (response) => response.pipe(process.stdout));
 * ```
 */
export function schannelAgent(
  credential: ClientCredential,
  options: SchannelAgentOptions = {},
): Agent {
  return agentOver(new LazySchannel(options), credential, options);
}

/** {@linkcode schannelAgent} over an SChannel that others see too. */
export function agentOver(
  schannel: LazySchannel,
  credential: ClientCredential,
  options: SchannelAgentOptions,
): Agent {
  assertAccepted(credential.key);
  const { minVersion = "TLSv1.2", maxVersion = "TLSv1.3" } = options;
  let source: Promise<SchannelSource> | undefined;
  let destroyed = false;
  return new EngineAgent({
    async open(target) {
      if (destroyed) throw new KeyboundError("closed", "The agent was destroyed. Make a new one.");
      const opened = source ??= schannel.source(credential, { minVersion, maxVersion });
      // A failure isn't remembered.
      opened.catch(() => source = undefined);
      return (await opened).open(target);
    },
    resume: true,
    onDestroy() {
      destroyed = true;
      source?.then((it) => it.retire()).catch(() => {}).then(() => schannel.close());
    },
  }, { keepAlive: true, ...options.agent });
}
