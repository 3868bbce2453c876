/**
 * The token endpoint's answer and what its refusals mean (protocol.md section 1.7).
 *
 * @module
 */

import * as v from "valibot";
import { type ErrorCode, type ErrorDetails, KeyboundError } from "../errors.ts";
import type { Answer } from "../http.ts";
import { parseJson, Seconds } from "../parse.ts";
import { describeErrorBody, scrub } from "../scrub.ts";

/** A token as answered; times in seconds. */
export interface TokenAnswer {
  /** The access token. */
  readonly accessToken: string;
  /** Life left, in seconds. */
  readonly expiresIn: number;
  /** Seconds after which it should be refreshed. */
  readonly refreshIn?: number;
}

const Success = v.object({
  token_type: v.optional(v.string()),
  // RFC 6750 section 2.1: what a header can carry.
  access_token: v.pipe(v.string(), v.regex(/^[\x21-\x7e]{1,65536}$/)),
  expires_in: v.pipe(Seconds, v.minValue(1)),
  refresh_in: v.optional(v.nullable(Seconds)),
});

const Refusal = v.object({
  error: v.pipe(v.string(), v.minLength(1), v.maxLength(256)),
  error_codes: v.optional(v.fallback(v.array(v.number()), []), []),
  suberror: v.optional(v.fallback(v.string(), "")),
  claims: v.optional(v.fallback(v.pipe(v.string(), v.maxLength(32_768)), "")),
});

const SOURCE = "TokenEndpoint";

/** OAuth `error` values that are codes of ours too. */
const OAUTH_CODES: readonly ErrorCode[] = [
  "access_denied",
  "interaction_required",
  "invalid_client",
  "invalid_grant",
  "invalid_request",
  "invalid_resource",
  "invalid_scope",
  "invalid_target",
  "server_error",
  "temporarily_unavailable",
  "unauthorized_client",
  "unsupported_grant_type",
];

/**
 * The token of a successful answer of type `tokenType` (compared without case).
 *
 * Throws `token_type_missing`, `token_type_mismatch` or `invalid_token_response` for an answer with
 * status 200 that isn't what was asked for; for any other status the server's OAuth error by its
 * code (`oauth_error` where that is none of ours), `service_not_available` (5xx),
 * `request_throttled` (429 without an OAuth error), `not_found` (404), `http_status_not_200` or
 * `non_parsable_oauth_error`.
 */
export function readTokenAnswer(
  answer: Answer,
  tokenType: string,
  correlationId: string,
): TokenAnswer {
  if (answer.status !== 200) throw refusal(answer, correlationId);
  const message = parseJson(Success, answer.text);
  const refuse = (code: ErrorCode, text: string) =>
    new KeyboundError(code, text, { status: 200, correlationId, source: SOURCE });
  if (message === undefined) {
    throw refuse(
      "invalid_token_response",
      "The token endpoint answered 200 with a body that isn't a token response (RFC 6749 section 5.1).",
    );
  }
  if (message.token_type === undefined) {
    throw refuse("token_type_missing", "The token response has no token_type.");
  }
  if (message.token_type.toLowerCase() !== tokenType) {
    throw refuse(
      "token_type_mismatch",
      `The token endpoint answered with a token of type '${
        scrub(message.token_type.slice(0, 40))
      }' where '${tokenType}' was asked for. It was thrown away.`,
    );
  }
  return {
    accessToken: message.access_token,
    expiresIn: message.expires_in,
    ...(message.refresh_in === undefined || message.refresh_in === null
      ? {}
      : { refreshIn: message.refresh_in }),
  };
}

function refusal(answer: Answer, correlationId: string): KeyboundError {
  const { status, text, retryAfter } = answer;
  const details: ErrorDetails = {
    status,
    correlationId,
    source: SOURCE,
    retryable: status === 408 || status === 429 || status >= 500,
    ...(retryAfter === undefined ? {} : { retryAfter }),
  };
  const message = parseJson(Refusal, text);
  if (message === undefined) {
    return new KeyboundError(
      plainCode(status, text),
      `The token endpoint answered HTTP ${status} without an OAuth error: ${
        describeErrorBody(text)
      }.`,
      details,
    );
  }
  const { error, error_codes, suberror, claims } = message;
  const known = OAUTH_CODES.find((code) => code === error.toLowerCase());
  const code = status >= 500 ? "service_not_available" : known ?? "oauth_error";
  return new KeyboundError(
    code,
    `The token endpoint refused (HTTP ${status}): ${describeErrorBody(text)}`,
    {
      ...details,
      ...(code === error ? {} : { oauthError: scrub(error) }),
      ...(error_codes.length === 0 ? {} : { errorCodes: error_codes.slice(0, 16) }),
      ...(suberror ? { suberror: scrub(suberror) } : {}),
      ...(claims ? { claims } : {}),
    },
  );
}

function plainCode(status: number, text: string): ErrorCode {
  if (status >= 500) return "service_not_available";
  if (status === 429) return "request_throttled";
  if (status === 404) return "not_found";
  const isJson = text.trim() === "" || parseJson(v.unknown(), text) !== undefined;
  return isJson ? "http_status_not_200" : "non_parsable_oauth_error";
}
