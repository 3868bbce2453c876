/**
 * For those who write the resource server: takes certificate-bound access tokens (RFC 8705 section
 * 3) over the connection they are bound to, and refuses them over any other. Needs the package
 * `jose`.
 *
 * @example
 * ```ts
 * import { requireBoundToken } from "keybound/resource";
 *
 * // Behind nginx with: proxy_set_header X-Client-Cert $ssl_client_escaped_cert;
 * Deno.serve({ hostname: "127.0.0.1" }, requireBoundToken(
 *   (_request, { claims }) => Response.json({ hello: claims.sub }),
 *   {
 *     jwks: new URL("https://as.example.com/jwks"),
 *     issuer: "https://as.example.com",
 *     audience: "https://api.example.com",
 *     certificate: { header: "x-client-cert", format: "nginx", trustProxy: true },
 *   },
 * ));
 * ```
 *
 * @module
 */

export type { BoundAccess, TokenScheme } from "./authorize.ts";
export {
  type CertificateFormat,
  certificateFromHeader,
  type CertificateHeader,
} from "./client_certificate.ts";
export {
  type BoundTokenGuard,
  boundTokenGuard,
  type BoundTokenGuardOptions,
  requireBoundToken,
} from "./guard.ts";
export type { AccessSettings } from "./settings.ts";
export type { JsonWebKeySet, KeyResolver, KeySource } from "./key_set.ts";
export {
  type BoundClaims,
  type BoundTokenVerifier,
  boundTokenVerifier,
  verifyBoundToken,
  type VerifyBoundTokenOptions,
} from "./verify.ts";
