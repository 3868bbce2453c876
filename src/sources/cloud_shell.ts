/**
 * Azure Cloud Shell (protocol.md sections 7.3, 7.4).
 *
 * @module
 */

import { assertSystemAssigned, encodeParameters, endpointVariable } from "./endpoint.ts";
import type { BearerQuery, Environment, SourceRequest } from "./source.ts";

/**
 * The token request. Throws `invalid_managed_identity_endpoint` and
 * `user_assigned_managed_identity_not_supported`.
 */
export function cloudShellRequest(
  environment: Environment,
  { identity, resource }: Pick<BearerQuery, "identity" | "resource">,
): SourceRequest {
  assertSystemAssigned(identity, "CloudShell");
  return {
    url: endpointVariable(environment, "MSI_ENDPOINT", "CloudShell").href,
    init: {
      method: "POST",
      headers: { Metadata: "true", "Content-Type": "application/x-www-form-urlencoded" },
      body: encodeParameters([["resource", resource]]),
    },
  };
}
