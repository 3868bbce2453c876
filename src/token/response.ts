/**
 * The token endpoint's answer and what its refusals mean (protocol.md section 1.7).
 *
 * @module
 */

import * as v from "valibot";
import { type ErrorCode, KeyboundError } from "../errors.ts";
import type { Answer } from "../http.ts";
import { fields, parse, parseJson, Seconds, text } from "../parse.ts";
import { describeErrorBody, scrub } from "../scrub.ts";

/** A token as answered; times in seconds. */
export interface TokenAnswer {
  /** The access token. */
  readonly accessToken: string;
  /** Life left, in seconds. */
  readonly expiresIn: number;
  /** Seconds after which it should be refreshed. */
  readonly refreshIn: number | undefined;
}

const Success = fields({
  // RFC 6750 section 2.1: what a header can carry.
  access_token: text(/^[\x21-\x7e]{1,65536}$/),
  expires_in: Seconds,
});

const Refusal = fields({ error: text(/^[^]{1,256}$/) });

const SOURCE = "TokenEndpoint";

/** OAuth `error` values that are codes of ours too (RFC 6749 sections 5.2 and 4.1.2.1, RFC 8707). */
const OAUTH_CODES =
  /^(invalid_(client|grant|request|scope|target)|temporarily_unavailable|un(authorized_client|supported_grant_type))$/;

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
  const refuse = (code: ErrorCode, what: string) => {
    const details = { status: 200, correlationId, source: SOURCE };
    return new KeyboundError(code, `The token response ${what}. It was thrown away.`, details);
  };
  const expiresIn = Number(message?.expires_in);
  if (message === undefined || expiresIn === 0) {
    throw refuse("invalid_token_response", "isn't one of RFC 6749 section 5.1");
  }
  if (message.token_type === undefined) throw refuse("token_type_missing", "has no token_type");
  if (String(message.token_type).toLowerCase() !== tokenType) {
    throw refuse("token_type_mismatch", `has another token_type than '${tokenType}'`);
  }
  const refreshIn = parse(Seconds, message.refresh_in);
  return {
    accessToken: message.access_token,
    expiresIn,
    refreshIn: refreshIn === undefined ? undefined : Number(refreshIn),
  };
}

/** What an answer with another status than 200 means, as {@linkcode readTokenAnswer} throws it. */
export function refusal(answer: Answer, correlationId: string): KeyboundError {
  const { status, text: body, retryAfter } = answer;
  const message = parseJson(Refusal, body);
  const error = message?.error;
  const lower = error?.toLowerCase() ?? "";
  const known = OAUTH_CODES.test(lower) ? lower as ErrorCode : "oauth_error";
  const code = error === undefined || status >= 500 ? plainCode(status, body) : known;
  return new KeyboundError(
    code,
    `The token endpoint refused (HTTP ${status}): ${describeErrorBody(body)}`,
    {
      status,
      correlationId,
      source: SOURCE,
      retryable: status === 408 || status === 429 || status >= 500,
      retryAfter,
      oauthError: error === undefined || error === code ? undefined : scrub(error),
      errorCodes: numbers(message?.error_codes),
      suberror: typeof message?.suberror === "string" ? scrub(message.suberror) : undefined,
      claims: typeof message?.claims === "string" ? message.claims.slice(0, 32_768) : undefined,
    },
  );
}

function numbers(value: unknown): number[] | undefined {
  return Array.isArray(value) ? value.filter(Number.isInteger).slice(0, 16) : undefined;
}

function plainCode(status: number, body: string): ErrorCode {
  if (status >= 500) return "service_not_available";
  if (status === 429) return "request_throttled";
  if (status === 404) return "not_found";
  const isJson = body.trim() === "" || parseJson(v.custom(() => true), body) !== undefined;
  return isJson ? "http_status_not_200" : "non_parsable_oauth_error";
}
