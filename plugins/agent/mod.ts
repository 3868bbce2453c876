/**
 * An `https.Agent` that presents a protected key, for clients that take one: axios, got, the AWS SDK
 * and whatever else stands on `node:https`.
 *
 * @example
 * ```ts
 * import { agentFor } from "keybound/agent";
 *
 * const agent = agentFor(identity, { token: { resource: "https://orders.example.com" } });
 * const orders = axios.create({ httpsAgent: agent, maxRedirects: 0 });
 * orders.interceptors.request.use(async (config) => {
 *   config.headers.set("Authorization", await agent.authorization());
 *   return config;
 * });
 * ```
 *
 * @module
 */

import type { ClientRequest } from "node:http";
import type { Agent } from "node:https";
import { systemClock } from "../../src/clock.ts";
import { ClientCredential } from "../../src/credential.ts";
import { KeyboundError } from "../../src/errors.ts";
import type { CredentialSource } from "../../src/rfc8705/options.ts";
import { currentCredential } from "../mtls/credential.ts";
import { credentialAgent } from "./credential_agents.ts";
import { KeyAgent } from "./key_agent.ts";
import type { BoundTokenSource, IdentityAgentOptions, KeyAgentOptions } from "./options.ts";

export type {
  AgentToken,
  BoundTokenSource,
  IdentityAgentOptions,
  KeyAgentOptions,
} from "./options.ts";
export type { CredentialSource } from "../../src/rfc8705/options.ts";

/** An agent that follows an identity. */
export type BoundAgent = Agent & {
  /**
   * The value of the `Authorization` header for the next request through this agent, whose
   * connection then is one with the certificate that this very token is bound to.
   *
   * Rejects as the identity's `getToken` does, and with `token_not_bound` for a bearer token.
   */
  authorization(): Promise<string>;
};

/**
 * An agent that presents this credential, or the one that the function gives at each request.
 *
 * A key that can be exported goes to the runtime's TLS; any other signs where it is, through the
 * system's OpenSSL (see `opensslAgent`). When the credential changes, idle connections of the old one
 * are closed and requests under way finish. Servers are always verified: what a request says about
 * trust, client certificates and TLS versions is passed over. A request without a credential fails
 * with the error that says why. `destroy` gives back all that is held.
 *
 * Whoever follows redirects takes the certificate along: turn that off in the client.
 */
export function agentFor(credential: CredentialSource, options?: KeyAgentOptions): Agent;
/** An agent that presents the certificate that the tokens of `identity` are bound to. */
export function agentFor<Question>(
  identity: BoundTokenSource<Question>,
  options: IdentityAgentOptions<Question>,
): BoundAgent;
export function agentFor(
  source: CredentialSource | BoundTokenSource<unknown>,
  options: KeyAgentOptions | IdentityAgentOptions<unknown> = {},
): Agent {
  if (typeof source === "function" || source instanceof ClientCredential) {
    return followingCredential(source, options);
  }
  if (typeof source?.getToken === "function" && "token" in options) {
    return followingIdentity(source, options);
  }
  throw new KeyboundError(
    "invalid_argument",
    "An agent needs a ClientCredential, a function that gives one, or an identity and 'token'.",
  );
}

function followingCredential(source: CredentialSource, options: KeyAgentOptions): Agent {
  const { clock = systemClock() } = options;
  const agent: KeyAgent = new KeyAgent({
    async credentialFor() {
      const credential = await currentCredential(source, clock.now());
      agent.follow(credential);
      return credential;
    },
    agentOf: (credential) => credentialAgent(credential, options),
  }, options.keepAlive ?? true);
  return agent;
}

/** Tokens that requests on their way may carry: the current one and the one before. */
const REMEMBERED = 2;

function followingIdentity(
  identity: BoundTokenSource<unknown>,
  options: IdentityAgentOptions<unknown>,
): BoundAgent {
  /** By the header that says so. */
  const credentials = new Map<string, ClientCredential>();
  const current = async (): Promise<[authorization: string, credential: ClientCredential]> => {
    const { tokenType, accessToken, binding } = await identity.getToken(options.token);
    if (binding === undefined) {
      throw new KeyboundError(
        "token_not_bound",
        "The identity gave a bearer token. An agent is for bound tokens: ask for one.",
      );
    }
    const authorization = `${tokenType} ${accessToken}`;
    credentials.delete(authorization);
    credentials.set(authorization, binding.credential);
    for (const oldest of credentials.keys()) {
      if (credentials.size > REMEMBERED) credentials.delete(oldest);
    }
    agent.follow(binding.credential);
    return [authorization, binding.credential];
  };
  const agent: KeyAgent = new KeyAgent({
    async credentialFor(request: ClientRequest) {
      // The token that a request carries decides, whatever has become the current one since.
      const carried = credentials.get(String(request.getHeader("authorization")));
      return carried ?? (await current())[1];
    },
    agentOf: (credential) => credentialAgent(credential, options),
  }, options.keepAlive ?? true);
  return Object.assign(agent, {
    authorization: async () => (await current())[0],
  });
}
