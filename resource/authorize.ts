/**
 * Who a request comes from, or why it isn't let in; the same for every HTTP server.
 *
 * @module
 */

import { type ErrorCode, KeyboundError } from "../src/errors.ts";
import { type Refusal, type RefusalReason, refused, tokenWanted, unavailable } from "./refusal.ts";
import { type BoundClaims, type BoundTokenVerifier, MAX_TOKEN } from "./verify.ts";

/** A scheme of the `Authorization` header. */
export type TokenScheme = "Bearer" | "mtls_pop";

/** A request's right to be let in. */
export interface BoundAccess {
  /** The token's claims, verified. */
  readonly claims: BoundClaims;
  /** The scheme it was sent with. */
  readonly scheme: TokenScheme;
  /** DER of the client certificate it is bound to. */
  readonly certificate: Uint8Array;
}

/** What is taken. */
export interface AccessRules {
  /** Verifies tokens. */
  readonly verify: BoundTokenVerifier;
  /** Schemes taken. */
  readonly schemes: readonly TokenScheme[];
  /** Name of the protected space. */
  readonly realm: string;
  /** Told of refusals. */
  readonly onRefused: (code: ErrorCode) => void;
}

/** What of a request is looked at. */
export interface Presented {
  /** `Authorization`, several of them joined by commas. */
  readonly authorization: string | null;
  /** The request target or URL. */
  readonly url: string;
  /** The client certificate (DER), asked for only where there is a token. */
  readonly certificate: () => Uint8Array | undefined | Promise<Uint8Array | undefined>;
}

/** The access, or the answer to send instead. */
export type Decision = { readonly access: BoundAccess } | { readonly refusal: Refusal };

/** Judges a request. Rejects only with what isn't about the request: a missing package, say. */
export async function authorize(rules: AccessRules, presented: Presented): Promise<Decision> {
  const { schemes, realm, verify } = rules;
  const refuse = (code: ErrorCode, scheme: string, reason: RefusalReason): Decision => {
    tell(rules, code);
    return { refusal: refused(scheme, realm, reason) };
  };
  const { authorization, url } = presented;
  if (hasQueryToken(url)) {
    const description = "A token belongs into the Authorization header and nowhere else";
    return refuse("invalid_request", schemes[0]!, { error: "invalid_request", description });
  }
  const scheme = schemeOf(authorization, schemes);
  if (scheme === undefined) return { refusal: tokenWanted(schemes, realm) };
  const token = tokenOf(authorization!);
  if (token === undefined) {
    const description = "The Authorization header must hold one token";
    return refuse("invalid_request", scheme, { error: "invalid_request", description });
  }
  let certificate: Uint8Array | undefined;
  try {
    certificate = await presented.certificate();
  } catch (error) {
    if (!(error instanceof KeyboundError)) throw error;
    const description = "The client certificate header is malformed";
    return refuse(error.code, scheme, { error: "invalid_request", description });
  }
  try {
    const claims = await verify(token, certificate);
    return { access: Object.freeze({ claims, scheme, certificate: certificate! }) };
  } catch (error) {
    const code = error instanceof KeyboundError ? error.code : undefined;
    const description = code === undefined ? undefined : DESCRIPTIONS[code];
    if (description !== undefined) {
      return refuse(code!, scheme, { error: "invalid_token", description });
    }
    if (code !== "jwks_unavailable") throw error;
    tell(rules, code);
    return { refusal: unavailable() };
  }
}

const DESCRIPTIONS: Readonly<Partial<Record<ErrorCode, string>>> = {
  invalid_token: "The token is malformed, expired, or not of a trusted issuer",
  token_audience_mismatch: "The token is for another audience",
  token_not_bound: "The token is not bound to the client certificate of this connection",
};

/** The accepted scheme that the header begins with, compared without case. */
function schemeOf(
  authorization: string | null,
  schemes: readonly TokenScheme[],
): TokenScheme | undefined {
  const [given] = (authorization ?? "").slice(0, 64).trimStart().split(/[ \t]/);
  return schemes.find((scheme) => scheme.toLowerCase() === given?.toLowerCase());
}

/** The one token of RFC 6750 section 2.1; `undefined` for anything more, less or longer. */
function tokenOf(authorization: string): string | undefined {
  if (authorization.length > MAX_TOKEN + 64) return undefined;
  return /^[ \t]*\w+ +([A-Za-z0-9._~+/-]+=*)[ \t]*$/.exec(authorization)?.[1];
}

/** Whether a token is in the query (RFC 6750 section 2.3), for every log on the way to show. */
function hasQueryToken(url: string): boolean {
  const query = url.indexOf("?");
  return query >= 0 && /[?&]access_token=/i.test(url.slice(query));
}

function tell({ onRefused }: AccessRules, code: ErrorCode): void {
  try {
    onRefused(code);
  } catch {
    // A listener's trouble is not the request's.
  }
}
