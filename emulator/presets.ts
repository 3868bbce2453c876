/**
 * Steps for the situations that come up most.
 *
 * @module
 */

import type { JsonObject, RespondStep } from "./steps.ts";

/** The token endpoint refuses the client, as Entra does for a credential it doesn't accept. */
export function invalidClient(): RespondStep {
  return oauthFailure("invalid_client", {
    status: 400,
    description: "AADSTS7000218: The client credential was not accepted.",
    codes: [7000218],
  });
}

/** Any OAuth error answer (RFC 6749 section 5.2). */
export function oauthFailure(
  error: string,
  options: {
    /** HTTP status. @default 400 */
    readonly status?: number;
    readonly description?: string;
    /** AADSTS numbers. */
    readonly codes?: readonly number[];
    readonly suberror?: string;
    /** Claims challenge. */
    readonly claims?: JsonObject;
  } = {},
): RespondStep {
  const { status = 400, description = error, codes = [], suberror, claims } = options;
  return {
    kind: "respond",
    status,
    json: {
      error,
      error_description: description,
      error_codes: codes,
      ...(suberror === undefined ? {} : { suberror }),
      ...(claims === undefined ? {} : { claims: JSON.stringify(claims) }),
    },
  };
}

/** Too many requests, to be tried again after this many seconds. */
export function throttled(seconds: number): RespondStep {
  return {
    kind: "respond",
    status: 429,
    headers: { "retry-after": `${seconds}` },
    json: { error: "too_many_requests", error_description: "Too many requests." },
  };
}

/** A server error without a useful body. @param status HTTP status. */
export function unavailable(status = 503): RespondStep {
  return { kind: "respond", status, body: "" };
}

/** A redirect, to be refused by every client of these endpoints. */
export function redirect(location: string, status: 301 | 302 | 303 | 307 | 308 = 307): RespondStep {
  return { kind: "respond", status, headers: { location } };
}

/**
 * The resource server wants a token that satisfies these claims.
 *
 * @param scheme of the challenge.
 */
export function claimsChallenge(
  claims: JsonObject,
  scheme: "mtls_pop" | "Bearer" = "mtls_pop",
): RespondStep {
  const encoded = Buffer.from(JSON.stringify(claims)).toString("base64");
  return {
    kind: "respond",
    status: 401,
    headers: {
      "www-authenticate": `${scheme} error="insufficient_claims", claims="${encoded}"`,
    },
    json: { error: "insufficient_claims" },
  };
}
