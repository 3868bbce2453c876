/**
 * The agents of one credential, over the runtime's TLS stack.
 *
 * @module
 */

import { Agent, type AgentOptions } from "node:https";
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import { KeyboundError } from "../../src/errors.ts";
import type { CredentialAgents, VersionRange } from "../http/connections.ts";
import type { ClientPem } from "./client_pem.ts";

/** What all connections have in common. */
export interface AgentSettings {
  /** Trust anchors, one PEM certificate each, in place of those of the runtime. */
  readonly ca: string[] | undefined;
  /** Milliseconds after which an idle connection is closed. */
  readonly keepAliveTimeout: number;
}

/**
 * The environment that an agent has its proxies from, which not every type of agents knows. With
 * `NODE_USE_ENV_PROXY`, Deno takes the process's for every agent that isn't given another.
 */
const NO_PROXIES = { proxyEnv: {} } as const;

/** Agents for this pair; throws `unsupported_key` where the TLS stack refuses it. */
export function credentialAgents(
  pem: ClientPem,
  versions: VersionRange,
  settings: AgentSettings,
): CredentialAgents {
  const options = agentOptions(pem, versions, settings);
  return {
    pooled: new Agent({
      ...options,
      keepAlive: true,
      maxFreeSockets: 16,
      timeout: settings.keepAliveTimeout,
    }),
    fresh: new Agent({ ...options, keepAlive: false, maxCachedSessions: 0 }),
  };
}

/**
 * The key goes into the context and nowhere else: an agent would put it into the names of its
 * pools, and the runtime into its debug log.
 */
function agentOptions(
  pem: ClientPem,
  versions: VersionRange,
  { ca }: AgentSettings,
): AgentOptions {
  const secureContext = secureContextOf({ ...pem, ...versions, ...(ca ? { ca } : {}) });
  // On Deno this property holds the PEM as it is, for every log of the options to show.
  Object.defineProperty(secureContext, "context", { enumerable: false });
  return {
    ...NO_PROXIES,
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
