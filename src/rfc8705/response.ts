/**
 * The token endpoint's answer (RFC 6749 section 5).
 *
 * @module
 */

import * as v from "valibot";
import { type ErrorCode, KeyboundError } from "../errors.ts";
import type { Answer } from "../http.ts";
import { parse, parseJson, Seconds, text } from "../parse.ts";
import { refusal } from "../token/response.ts";
import { SOURCES } from "./server.ts";

/** A token as answered. */
export interface GrantedToken {
  /** The access token. */
  readonly accessToken: string;
  /** The scheme it is sent with. */
  readonly tokenType: "Bearer" | "mtls_pop";
  /** Life left, in seconds, where the server says. */
  readonly expiresIn: number | undefined;
  /** Seconds after which it should be refreshed, where the server says. */
  readonly refreshIn: number | undefined;
  /** A refresh token, where the server gives one. */
  readonly refreshToken: string | undefined;
  /** What was granted, where the server says. */
  readonly scope: string | undefined;
}

/** RFC 6750 section 2.1: what a header can carry. */
const TokenText = text(/^[\x21-\x7e]{1,65536}$/);

const Granted = v.looseObject({
  access_token: TokenText,
  expires_in: v.nullish(Seconds),
  refresh_in: v.nullish(v.unknown()),
  refresh_token: v.nullish(text(/^[\x20-\x7e]{0,65536}$/)),
  scope: v.nullish(text(/^[\x20-\x7e]{0,32768}$/)),
});

/** Schemes by `token_type`, compared without case (RFC 6749 section 5.1). */
const SCHEMES: Readonly<Record<string, GrantedToken["tokenType"]>> = {
  bearer: "Bearer",
  mtls_pop: "mtls_pop",
};

/**
 * The token of a successful answer. RFC 8705 has no token type of its own: servers call their bound
 * tokens `Bearer`.
 *
 * Throws `token_type_missing`, `token_type_mismatch` for a type other than `Bearer` and `mtls_pop`
 * (a DPoP token, say), `invalid_token_response`; for any other status than 200 what
 * `readTokenAnswer` of `../token/response.ts` throws.
 */
export function readGrant(answer: Answer, correlationId: string): GrantedToken {
  if (answer.status !== 200) throw refusal(answer, correlationId);
  const refuse = (code: ErrorCode, what: string) =>
    new KeyboundError(code, `The token response ${what}. It was thrown away.`, {
      status: 200,
      correlationId,
      source: SOURCES.token,
    });
  const message = parseJson(Granted, answer.text);
  const expiresIn = seconds(message?.expires_in);
  if (message === undefined || expiresIn === 0) {
    throw refuse("invalid_token_response", "isn't one of RFC 6749 section 5.1");
  }
  if (message.token_type === undefined) throw refuse("token_type_missing", "has no token_type");
  const type = String(message.token_type).toLowerCase();
  if (!Object.hasOwn(SCHEMES, type)) {
    throw refuse("token_type_mismatch", "has another token_type than 'Bearer' and 'mtls_pop'");
  }
  return {
    accessToken: message.access_token,
    tokenType: SCHEMES[type]!,
    expiresIn,
    refreshIn: seconds(parse(Seconds, message.refresh_in)),
    refreshToken: message.refresh_token || undefined,
    scope: message.scope || undefined,
  };
}

function seconds(value: string | number | null | undefined): number | undefined {
  return value === undefined || value === null ? undefined : Number(value);
}
