/**
 * The token request at an mTLS endpoint (protocol.md section 1.7).
 *
 * @module
 */

import { KeyboundError } from "../errors.ts";
import { VERSION } from "../version.ts";

/** What a managed identity asks the token endpoint for. */
export interface TokenParameters {
  /** Base URL of the token endpoint, tenant included. */
  readonly endpoint: string;
  /** Canonical client id. */
  readonly clientId: string;
  /** The resource, without `/.default`. */
  readonly resource: string;
  /** The merged `claims` parameter. */
  readonly claims: string | undefined;
  /** UUID of the acquisition. */
  readonly correlationId: string;
}

/** A request for a certificate-bound token; its body can be sent once, so make one an attempt. */
export function boundTokenRequest(parameters: TokenParameters, signal: AbortSignal): Request {
  const { endpoint, clientId, resource, claims, correlationId } = parameters;
  const form = new URLSearchParams({
    client_id: clientId,
    scope: `${resource.replace(/\/+$/, "")}/.default`,
    ...(claims === undefined ? {} : { claims }),
    grant_type: "client_credentials",
    token_type: "mtls_pop",
  });
  return formRequest(`${endpoint}/oauth2/v2.0/token`, form, correlationId, signal);
}

/** A token request with this form. */
export function formRequest(
  url: string,
  form: URLSearchParams,
  correlationId: string,
  signal: AbortSignal,
): Request {
  return new Request(url, {
    method: "POST",
    headers: {
      Accept: "application/json",
      "Content-Type": "application/x-www-form-urlencoded",
      "client-request-id": correlationId,
      "return-client-request-id": "true",
      "x-client-SKU": "keybound",
      "x-client-Ver": VERSION,
      "x-ms-lib-capability": "retry-after, h429",
    },
    body: form.toString(),
    redirect: "manual",
    signal,
  });
}

/**
 * The resource as it is asked for and cached: an exact `/.default` at its end is dropped
 * (protocol.md section 0.3). Throws `invalid_argument` for one that is blank, longer than 2048
 * characters, or holds white space or control characters.
 */
export function normalizeResource(resource: string): string {
  const bare = typeof resource === "string" ? resource.replace(/\/\.default$/, "") : "";
  if (/^[^\s\p{Cc}]{1,2048}$/u.test(bare)) return bare;
  throw new KeyboundError(
    "invalid_argument",
    "'resource' must be like https://vault.azure.net.",
  );
}
