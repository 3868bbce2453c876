/**
 * Azure Machine Learning, which knows identities by their client ids (protocol.md sections 7.3, 7.4).
 *
 * @module
 */

import type { Identity } from "../identity.ts";
import { endpointVariable, refusedIdentity, secretVariable, withParameters } from "./endpoint.ts";
import type { BearerQuery, Environment, SourceRequest } from "./source.ts";

const SOURCE = "MachineLearning";

/**
 * The token request. Throws `invalid_managed_identity_endpoint` and
 * `invalid_managed_identity_id_type`.
 */
export function machineLearningRequest(
  environment: Environment,
  { identity, resource }: Pick<BearerQuery, "identity" | "resource">,
): SourceRequest {
  const clientId = clientIdOf(identity, environment);
  const endpoint = endpointVariable(environment, "MSI_ENDPOINT", SOURCE);
  const secret = secretVariable(environment, "MSI_SECRET", SOURCE);
  return {
    url: withParameters(endpoint, [
      ["api-version", "2017-09-01"],
      ["resource", resource],
      ["clientid", clientId],
    ]),
    init: { method: "GET", headers: { secret, Metadata: "true" } },
  };
}

function clientIdOf({ selector }: Identity, environment: Environment): string {
  if (selector !== undefined) {
    if (selector[0] === "client_id") return selector[1];
    throw invalidIdType("This source knows identities by clientId only. Give that.");
  }
  const clientId = environment.DEFAULT_IDENTITY_CLIENT_ID ?? "";
  if (clientId !== "") return clientId;
  throw invalidIdType("Without DEFAULT_IDENTITY_CLIENT_ID in the environment, give a clientId.");
}

function invalidIdType(advice: string): Error {
  return refusedIdentity("invalid_managed_identity_id_type", SOURCE, advice);
}
