/**
 * A resource server's claims challenge in `WWW-Authenticate` (OpenID CAE, RFC 9470's relative).
 *
 * @module
 */

import { fromBase64url, fromUtf8 } from "../encoding.ts";

/** Longest header that is looked at, in characters. */
const MAX_HEADER = 16_384;

/**
 * The claims (JSON text) that a 401 asks for in `error="insufficient_claims", claims="<base64>"`;
 * `undefined` where it asks for none, or not readably.
 */
export function claimsChallenge(header: string | null): string | undefined {
  if (header === null || header.length > MAX_HEADER) return undefined;
  if (!/\berror="?insufficient_claims\b/i.test(header)) return undefined;
  const encoded = /\bclaims="([A-Za-z0-9+/_=-]+)"/i.exec(header)?.[1];
  if (encoded === undefined) return undefined;
  try {
    const unpadded = encoded.replace(/=+$/, "").replaceAll("+", "-").replaceAll("/", "_");
    const text = fromUtf8(fromBase64url(unpadded));
    const json: unknown = JSON.parse(text);
    return typeof json === "object" && json !== null && !Array.isArray(json) ? text : undefined;
  } catch {
    return undefined;
  }
}
