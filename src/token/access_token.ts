/**
 * What a client may check of an access token it got: that it is bound to the certificate it
 * presented and meant for the resource it asked for.
 *
 * @module
 */

import { fromBase64url, fromUtf8 } from "../encoding.ts";
import { KeyboundError } from "../errors.ts";
import { fields, parse, parseJson, parseUrl } from "../parse.ts";

const Claims = fields({});

/**
 * Refuses a JWT that isn't bound to this certificate (`x5t#S256`, RFC 8705 section 3.1) or that
 * names another resource. A token in any other format is opaque to a client and passes: whether it
 * is bound, only the resource server can tell.
 *
 * Throws `token_not_bound` and `token_audience_mismatch`.
 */
export function checkBoundToken(token: string, thumbprint: string, resource: string): void {
  const claims = jwtClaims(token);
  if (claims === undefined) return;
  const bound = parse(Claims, claims.cnf)?.["x5t#S256"];
  if (bound !== thumbprint) {
    throw new KeyboundError(
      "token_not_bound",
      "The token received isn't bound to the certificate presented.",
    );
  }
  const audiences = [claims.aud].flat().filter((audience) => typeof audience === "string");
  if (audiences.length > 0 && !audiences.some((audience) => isMeant(audience, resource))) {
    throw new KeyboundError(
      "token_audience_mismatch",
      `The token received isn't for ${resource}.`,
    );
  }
}

/** The claims of a signed JWT, unverified; `undefined` for any other kind of token. */
export function jwtClaims(token: string): Record<string, unknown> | undefined {
  const parts = token.split(".");
  if (parts.length !== 3) return undefined;
  try {
    return parseJson(Claims, fromUtf8(fromBase64url(parts[1]!)));
  } catch {
    return undefined;
  }
}

/**
 * Whether an audience can stand for a resource. A resource may be named by its application id or
 * with another path, so only two URIs that differ in scheme or host are surely not the same.
 */
export function isMeant(audience: string, resource: string): boolean {
  const [a, b] = [parseUrl(audience), parseUrl(resource)];
  if (a === undefined || b === undefined) return true;
  return a.protocol === b.protocol && a.host === b.host;
}
