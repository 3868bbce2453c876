/**
 * The agents of one credential whose TLS an engine does.
 *
 * @module
 */

import type { CredentialAgents } from "../http/connections.ts";
import { EngineAgent, type EngineAgentOptions } from "./agent.ts";

/** Where the engines of one credential come from. */
export interface CredentialEngines {
  /** A new engine; throws or rejects before any network where there can be none. */
  readonly open: EngineAgentOptions["open"];
  /** Forgets sessions and key; engines that are open go on. */
  retire(): void;
}

/** Idle connections to one server that are kept. */
const MAX_IDLE = 16;

/** The agents over these engines. An idle connection is closed after `keepAliveTimeout` ms. */
export function credentialAgents(
  engines: CredentialEngines,
  keepAliveTimeout: number,
): CredentialAgents {
  const open: EngineAgentOptions["open"] = (target) => engines.open(target);
  return {
    pooled: new EngineAgent({ open, resume: true }, {
      keepAlive: true,
      maxFreeSockets: MAX_IDLE,
      timeout: keepAliveTimeout,
    }),
    fresh: new EngineAgent({ open, resume: false }, { keepAlive: false }),
    dispose: () => engines.retire(),
  };
}
