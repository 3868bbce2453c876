/**
 * The unbound token that every managed identity source of version 1 gives (protocol.md section 7.8).
 *
 * @module
 */

import type { Core } from "./core.ts";
import type { Principal } from "./state.ts";

/** What a bearer token is made for. */
export interface BearerRequest {
  readonly principal: Principal;
  readonly resource: string;
  /** Client capabilities (`xms_cc`). @default none */
  readonly capabilities?: readonly string[];
}

/** The members that the answers of all sources have; times in seconds, as text. */
export interface BearerAnswer {
  readonly access_token: string;
  readonly client_id: string;
  readonly expires_on: string;
  readonly resource: string;
  readonly token_type: "Bearer";
}

/** Issues a token without `cnf`. */
export async function bearerAnswer(core: Core, request: BearerRequest): Promise<BearerAnswer> {
  const { principal, resource, capabilities = [] } = request;
  const { tokenLifetime, tokenAudience } = core.state;
  const now = core.now();
  return {
    access_token: await core.tokens.issue({
      issuer: `${core.addresses.mtls}/${principal.tenantId}/v2.0`,
      audience: tokenAudience ?? resource,
      principal,
      now,
      lifetime: tokenLifetime,
      thumbprint: undefined,
      capabilities,
    }),
    client_id: principal.clientId,
    expires_on: `${Math.floor(now / 1000) + Math.floor(tokenLifetime / 1000)}`,
    resource,
    token_type: "Bearer",
  };
}
