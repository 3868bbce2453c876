/**
 * What is said to a client whose request isn't let in (RFC 6750 section 3).
 *
 * @module
 */

/** An answer that any HTTP server can send. */
export interface Refusal {
  /** HTTP status. */
  readonly status: 400 | 401 | 503;
  /** Headers, names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** JSON, or nothing. */
  readonly body: string | undefined;
}

/** `error` and `error_description` of RFC 6750 section 3.1. The text holds no quotes. */
export interface RefusalReason {
  readonly error: "invalid_request" | "invalid_token";
  readonly description: string;
}

/**
 * 401 to a request without a token, with a challenge for each scheme and no error: the client may
 * not have known (RFC 6750 section 3.1).
 */
export function tokenWanted(schemes: readonly string[], realm: string): Refusal {
  const challenge = schemes.map((scheme) => `${scheme} realm="${realm}"`).join(", ");
  return refusal(401, { "www-authenticate": challenge });
}

/** 401 for a token that won't do, 400 for a request that isn't one; in the scheme it was made in. */
export function refused(
  scheme: string,
  realm: string,
  { error, description }: RefusalReason,
): Refusal {
  const status = error === "invalid_token" ? 401 : 400;
  const challenge =
    `${scheme} realm="${realm}", error="${error}", error_description="${description}"`;
  const body = JSON.stringify({ error, error_description: description });
  return refusal(status, { "www-authenticate": challenge }, body);
}

/** 503: the token can't be judged just now, which says nothing about it. */
export function unavailable(): Refusal {
  return refusal(503, { "retry-after": "5" });
}

function refusal(
  status: Refusal["status"],
  headers: Readonly<Record<string, string>>,
  body?: string,
): Refusal {
  const type: Record<string, string> = body === undefined
    ? {}
    : { "content-type": "application/json" };
  return { status, headers: { ...headers, ...type, "cache-control": "no-store" }, body };
}
