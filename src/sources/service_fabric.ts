/**
 * Service Fabric, whose endpoint is known by the thumbprint of its self-signed certificate
 * (protocol.md sections 6.9, 7.3 to 7.5).
 *
 * @module
 */

import {
  badVariable,
  endpointVariable,
  refusedIdentity,
  secretVariable,
  withParameters,
} from "./endpoint.ts";
import type { BearerQuery, Environment, SourceRequest } from "./source.ts";

const SOURCE = "ServiceFabric";

/**
 * The token request, with the thumbprint that the server must have. Throws
 * `invalid_managed_identity_endpoint`, plain http included, and
 * `user_assigned_managed_identity_not_configurable_at_runtime`.
 */
export function serviceFabricRequest(
  environment: Environment,
  { identity, resource, capabilities, revokedTokenHash }: Pick<
    BearerQuery,
    "identity" | "resource" | "capabilities" | "revokedTokenHash"
  >,
): SourceRequest {
  const [kind, id] = identity.selector ?? [];
  if (kind === "client_id" || kind === "mi_res_id") {
    throw refusedIdentity(
      "user_assigned_managed_identity_not_configurable_at_runtime",
      SOURCE,
      "The cluster's configuration says which identity it is. Leave out clientId and resourceId.",
    );
  }
  const endpoint = endpointVariable(environment, "IDENTITY_ENDPOINT", SOURCE, true);
  const thumbprint = parseThumbprint(environment.IDENTITY_SERVER_THUMBPRINT ?? "");
  const secret = secretVariable(environment, "IDENTITY_HEADER", SOURCE);
  return {
    url: withParameters(endpoint, [
      ["api-version", "2020-05-01"],
      ["resource", resource],
      ["principalId", id],
      ["xms_cc", capabilities.length > 0 ? capabilities.join(",") : undefined],
      ["token_sha256_to_refresh", revokedTokenHash],
    ]),
    init: { method: "GET", headers: { secret } },
    thumbprint,
  };
}

/** 40 lower-case hex digits, from what is written with colons, spaces and capitals too. */
function parseThumbprint(text: string): string {
  const digits = text.replace(/[\s:]/g, "").toLowerCase();
  if (/^[0-9a-f]{40}$/.test(digits)) return digits;
  throw badVariable("IDENTITY_SERVER_THUMBPRINT", SOURCE, "a SHA-1 thumbprint of 40 hex digits");
}
