/**
 * Where a token request of MSAL goes when it carries a client certificate.
 *
 * @module
 */

import { parseAuthority } from "../../src/entra/authority.ts";
import { mtlsTokenEndpoint } from "../../src/entra/clouds.ts";
import { KeyboundError } from "../../src/errors.ts";

const TOKEN_ENDPOINT =
  /^https:\/\/(?:([a-z0-9]{1,63})\.(?=login\.))?([^/?#]+\/(?:dstsv2\/)?[^/?#]+)\/oauth2\/v2\.0\/token(\?[^#]*)?$/i;

/**
 * The endpoint for client certificates that stands for one of MSAL's own: same cloud, region, tenant
 * and query (protocol.md section 8.3). An endpoint for certificates stands for itself.
 *
 * Throws `invalid_argument` for what is no token endpoint of Entra's and
 * `mtls_pop_not_supported_for_environment` for a host that takes no certificates.
 */
export function mtlsEndpointOf(tokenEndpoint: string): string {
  const [, region, authority, query = ""] = TOKEN_ENDPOINT.exec(tokenEndpoint) ?? [];
  if (authority === undefined) {
    throw new KeyboundError(
      "invalid_argument",
      "A client certificate goes to Entra's token endpoints only. Use MSAL's own network for others.",
    );
  }
  return mtlsTokenEndpoint(parseAuthority(`https://${authority}`), region) + query;
}
