/**
 * Version 1 of the instance metadata service (protocol.md sections 1.2, 7.3, 7.9).
 *
 * @module
 */

import { metadataBase } from "../imds/endpoint.ts";
import type { Identity } from "../identity.ts";
import { VERSION } from "../version.ts";
import { encodeParameters } from "./endpoint.ts";
import type { BearerQuery, Environment, SourceRequest } from "./source.ts";

const TOKEN_PATH = "/metadata/identity/oauth2/token";
const API_VERSION = ["api-version", "2018-02-01"] as const;

/** The token request. Throws `invalid_managed_identity_endpoint`. */
export function imdsRequest(
  environment: Environment,
  { identity, resource, correlationId }: Pick<
    BearerQuery,
    "identity" | "resource" | "correlationId"
  >,
): SourceRequest {
  const [kind, id] = identity.selector ?? [];
  const query = encodeParameters([
    API_VERSION,
    ["resource", resource],
    // Here, and nowhere else, a resource id goes by this name.
    [kind === "mi_res_id" ? "msi_res_id" : kind ?? "", id],
  ]);
  return {
    url: `${metadataBase(environment)}${TOKEN_PATH}?${query}`,
    init: {
      method: "GET",
      headers: {
        Metadata: "true",
        "x-client-SKU": "keybound",
        "x-client-Ver": VERSION,
        "x-ms-client-request-id": correlationId,
      },
    },
  };
}

/** The URL by which a probe asks whether version 1 is there. */
export function imdsProbeUrl(base: string, { selector }: Identity): string {
  return `${base}${TOKEN_PATH}?${encodeParameters([API_VERSION, ...(selector ? [selector] : [])])}`;
}
