/**
 * App Service, Functions, Container Apps (protocol.md section 7.3).
 *
 * @module
 */

import { endpointVariable, secretVariable, withParameters } from "./endpoint.ts";
import type { BearerQuery, Environment, SourceRequest } from "./source.ts";

/** The token request. Throws `invalid_managed_identity_endpoint`. */
export function appServiceRequest(
  environment: Environment,
  { identity, resource }: Pick<BearerQuery, "identity" | "resource">,
): SourceRequest {
  const endpoint = endpointVariable(environment, "IDENTITY_ENDPOINT", "AppService");
  const secret = secretVariable(environment, "IDENTITY_HEADER", "AppService");
  const parameters = [["api-version", "2019-08-01"], ["resource", resource]] as const;
  return {
    url: withParameters(endpoint, [
      ...parameters,
      ...(identity.selector ? [identity.selector] : []),
    ]),
    init: { method: "GET", headers: { "X-IDENTITY-HEADER": secret } },
  };
}
