/**
 * An agent of `node:https` over OpenSSL.
 *
 * @module
 */

import { type Agent, type AgentOptions } from "node:https";
import type { ClientCredential } from "../../src/credential.ts";
import { KeyboundError } from "../../src/errors.ts";
import type { TlsVersion } from "../../src/transports.ts";
import { EngineAgent } from "../tls_engine/agent.ts";
import type { EngineSource } from "./in_place.ts";
import { assertAccepted, LazyRuntime, type OpensslOptions } from "./options.ts";

/** Options of {@linkcode opensslAgent}. */
export interface OpensslAgentOptions extends OpensslOptions {
  /** Lowest version to accept. @default "TLSv1.2" */
  minVersion?: TlsVersion;
  /** Highest version to offer. @default "TLSv1.3" */
  maxVersion?: TlsVersion;
  /** How the agent pools its connections. @default `{ keepAlive: true }` */
  agent?: Pick<AgentOptions, "keepAlive" | "maxFreeSockets" | "maxSockets" | "timeout">;
}

/**
 * An `https.Agent` that presents this credential, for `https.request`, axios, got and their like.
 * `destroy` gives back all it holds; until then a key that signs by a promise has up to four threads
 * for handshakes of this agent. For many such keys use {@linkcode opensslTransport}: its credentials
 * share the threads.
 *
 * A request fails as with {@linkcode opensslTransport}, but with the errors of the stack as they are
 * instead of a `TransportError`. Throws `transport_not_available` for a key that can't sign, and
 * `invalid_pem`.
 *
 * @example
 * ```ts
 * const agent = opensslAgent(credential);
 * https.get("https://resource.example/", { agent }, (response) => response.pipe(process.stdout));
 * ```
 */
export function opensslAgent(
  credential: ClientCredential,
  options: OpensslAgentOptions = {},
): Agent {
  assertAccepted(credential.key);
  const { minVersion = "TLSv1.2", maxVersion = "TLSv1.3" } = options;
  const runtime = new LazyRuntime(options);
  let source: Promise<EngineSource> | undefined;
  let destroyed = false;
  return new EngineAgent({
    async open(target) {
      if (destroyed) throw new KeyboundError("closed", "The agent was destroyed. Make a new one.");
      const opened = source ??= runtime.load().then((it) =>
        it.source(credential, { minVersion, maxVersion })
      );
      // A failure isn't remembered.
      opened.catch(() => source = undefined);
      return (await opened).open(target);
    },
    resume: true,
    onDestroy() {
      destroyed = true;
      source?.then((it) => it.retire()).catch(() => {}).then(() => runtime.close());
    },
  }, { keepAlive: true, ...options.agent });
}
