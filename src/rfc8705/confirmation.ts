/**
 * Whether a token is what was asked for: bound to the certificate that was presented (RFC 8705
 * section 3) and for a resource that was named.
 *
 * @module
 */

import * as v from "valibot";
import { KeyboundError } from "../errors.ts";
import type { Answer } from "../http.ts";
import { parse, parseJson } from "../parse.ts";
import { describeErrorBody } from "../scrub.ts";
import { isMeant, jwtClaims } from "../token/access_token.ts";
import { refusal } from "../token/response.ts";
import { SOURCES } from "./server.ts";

/** `cnf` as a claim (RFC 7800) or a member of an introspection response (RFC 8705 section 3.2). */
const Confirmation = v.looseObject({ "x5t#S256": v.string() });

const Introspection = v.looseObject({ active: v.boolean() });

/** What the claims of a token say that the client goes by. */
export interface ReadToken {
  /** End of its life, in milliseconds since the Unix epoch, where it says. */
  readonly expiresOn: number | undefined;
}

/**
 * Reads a JWT; `undefined` for a token in any other format, which is opaque to a client. The
 * signature is the resource server's to verify.
 *
 * Throws `token_not_bound` for one that isn't bound to this certificate (`x5t#S256`),
 * `token_audience_mismatch` for one that is for none of these resources.
 */
export function readBoundToken(
  token: string,
  thumbprint: string,
  resources: readonly string[],
): ReadToken | undefined {
  const claims = jwtClaims(token);
  if (claims === undefined) return undefined;
  if (parse(Confirmation, claims.cnf)?.["x5t#S256"] !== thumbprint) throw notBound();
  const audiences = [claims.aud].flat().filter((audience) => typeof audience === "string");
  const isFor = (audience: string) => resources.some((resource) => isMeant(audience, resource));
  if (resources.length > 0 && audiences.length > 0 && !audiences.some(isFor)) {
    throw new KeyboundError(
      "token_audience_mismatch",
      "The token received is for none of the resources asked for. It was thrown away.",
    );
  }
  const { exp } = claims;
  const isTime = typeof exp === "number" && Number.isFinite(exp) && exp > 0;
  return { expiresOn: isTime ? exp * 1000 : undefined };
}

/**
 * Reads what the introspection endpoint says of a token that was just issued (RFC 7662 section
 * 2.2).
 *
 * Throws `token_not_bound` unless it is bound to this certificate, `invalid_token_response` for a
 * token that isn't active or an answer that can't be read, and the codes of
 * {@linkcode refusal} for a status other than 200.
 */
export function readIntrospection(answer: Answer, thumbprint: string, correlationId: string): void {
  const { status, text } = answer;
  const details = { status, correlationId, source: SOURCES.introspection };
  if (status !== 200) {
    const { code, retryable } = refusal(answer, correlationId);
    const said = describeErrorBody(text);
    throw new KeyboundError(
      code,
      `The introspection endpoint refused (HTTP ${status}): ${said}`,
      { ...details, retryable },
    );
  }
  const message = parseJson(Introspection, text);
  if (message?.active !== true) {
    throw new KeyboundError(
      "invalid_token_response",
      "The introspection endpoint doesn't call the token active that was just issued. It was thrown away.",
      details,
    );
  }
  if (parse(Confirmation, message.cnf)?.["x5t#S256"] !== thumbprint) throw notBound(details);
}

function notBound(details = {}): KeyboundError {
  return new KeyboundError(
    "token_not_bound",
    "The token received isn't bound to the certificate presented. Have the server bind this client's tokens (tls_client_certificate_bound_access_tokens).",
    details,
  );
}
