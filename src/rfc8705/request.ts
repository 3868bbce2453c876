/**
 * Requests to the token and introspection endpoints. The client says only who it is: the
 * certificate proves it (RFC 8705 section 2).
 *
 * @module
 */

import type { TokenQuery } from "./query.ts";

/** A token request; make one an attempt. With a refresh token it asks by that (RFC 6749 section 6). */
export function tokenRequest(
  url: string,
  clientId: string,
  { scope, resources, parameters }: TokenQuery,
  refreshToken: string | undefined,
  signal: AbortSignal,
): Request {
  const grant: [string, string][] = refreshToken === undefined
    ? [["grant_type", "client_credentials"]]
    : [["grant_type", "refresh_token"], ["refresh_token", refreshToken]];
  return formRequest(url, [
    ...grant,
    ["client_id", clientId],
    ...(scope === undefined ? [] : [["scope", scope] as const]),
    ...resources.map((resource) => ["resource", resource] as const),
    ...parameters,
  ], signal);
}

/** A question about a token (RFC 7662 section 2.1); make one an attempt. */
export function introspectionRequest(
  url: string,
  clientId: string,
  token: string,
  signal: AbortSignal,
): Request {
  return formRequest(url, [
    ["token", token],
    ["token_type_hint", "access_token"],
    ["client_id", clientId],
  ], signal);
}

function formRequest(
  url: string,
  pairs: readonly (readonly [name: string, value: string])[],
  signal: AbortSignal,
): Request {
  const form = new URLSearchParams();
  for (const [name, value] of pairs) form.append(name, value);
  return new Request(url, {
    method: "POST",
    headers: {
      Accept: "application/json",
      "Content-Type": "application/x-www-form-urlencoded",
    },
    body: form.toString(),
    redirect: "manual",
    signal,
  });
}
