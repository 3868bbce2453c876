/**
 * What a resource server says of a token it doesn't take (RFC 6750 section 3).
 *
 * @module
 */

/** Longest header that is looked at, in characters. */
const MAX_HEADER = 4096;

/** One parameter of a challenge; quoted text is passed over as a whole. */
const PARAMETER = /([\w!#$%&'*+.^`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g;

/** Whether `WWW-Authenticate` calls the token invalid: expired, revoked, or for another certificate. */
export function isInvalidToken(header: string | null): boolean {
  if (header === null || header.length > MAX_HEADER) return false;
  for (const [, name, quoted, plain] of header.matchAll(PARAMETER)) {
    if (name!.toLowerCase() === "error") return (quoted ?? plain) === "invalid_token";
  }
  return false;
}
