/**
 * A resource server's claims challenge in `WWW-Authenticate` (OpenID CAE, RFC 9470's relative).
 *
 * @module
 */

import { fromBase64, fromBase64url, fromUtf8 } from "../encoding.ts";

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
    const bytes = /[-_]/.test(encoded) || encoded.length % 4 !== 0
      ? fromBase64url(encoded.replace(/=+$/, ""))
      : fromBase64(encoded);
    const text = fromUtf8(bytes);
    const json: unknown = JSON.parse(text);
    return typeof json === "object" && json !== null && !Array.isArray(json) ? text : undefined;
  } catch {
    return undefined;
  }
}
