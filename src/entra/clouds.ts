/**
 * Hosts of the token endpoint in every cloud, global and regional (protocol.md section 8.3). Built
 * in: nobody is asked where the endpoint is.
 *
 * @module
 */

import { KeyboundError } from "../errors.ts";
import type { Authority } from "./authority.ts";
import { isRegionName } from "./region.ts";

/** Authority hosts of the public cloud; all mean the same tenants. */
const PUBLIC: readonly string[] = [
  "login.microsoftonline.com",
  "login.windows.net",
  "login.microsoft.com",
  "sts.windows.net",
];

/** Old authority hosts that have no mTLS endpoint, and the hosts that took their place. */
const SUCCESSORS: Readonly<Record<string, string>> = {
  "login.usgovcloudapi.net": "login.microsoftonline.us",
  "login.chinacloudapi.cn": "login.partner.microsoftonline.cn",
};

/**
 * Throws `mtls_pop_not_supported_for_environment` for an authority that has no mTLS endpoint. To be
 * called before a certificate goes anywhere.
 */
export function assertMtlsHost({ kind, host }: Authority): void {
  if (kind === "dsts") return;
  const successor = SUCCESSORS[host];
  if (successor === undefined && host.startsWith("login.")) return;
  throw new KeyboundError(
    "mtls_pop_not_supported_for_environment",
    `'${host}' has no endpoint for client certificates. ${
      successor === undefined
        ? "Use an authority whose host begins with 'login.'."
        : `Use '${successor}'.`
    }`,
  );
}

/**
 * URL of the token endpoint for requests with a client certificate. A region that isn't a plain name
 * is passed over. Throws as {@linkcode assertMtlsHost} does.
 */
export function mtlsTokenEndpoint(authority: Authority, region: string | undefined): string {
  assertMtlsHost(authority);
  const { kind, host } = authority;
  if (kind === "dsts") return tokenEndpoint(authority, host);
  const global = PUBLIC.includes(host)
    ? "mtlsauth.microsoft.com"
    : host.replace(/^login\./, "mtlsauth.");
  return tokenEndpoint(authority, regional(global, region));
}

/** URL of the token endpoint for requests without a client certificate. */
export function loginTokenEndpoint(authority: Authority, region: string | undefined): string {
  const { kind, host } = authority;
  const isPlaced = region !== undefined && host.startsWith(`${region.toLowerCase()}.`);
  if (kind === "dsts" || isPlaced || region === undefined || !isRegionName(region)) {
    return tokenEndpoint(authority, host);
  }
  return tokenEndpoint(
    authority,
    regional(PUBLIC.includes(host) ? "login.microsoft.com" : host, region),
  );
}

/** The last look at a region's name before it becomes a part of a host. */
function regional(host: string, region: string | undefined): string {
  return region !== undefined && isRegionName(region) ? `${region.toLowerCase()}.${host}` : host;
}

function tokenEndpoint({ kind, tenant }: Authority, host: string): string {
  return `https://${host}${kind === "dsts" ? "/dstsv2" : ""}/${tenant}/oauth2/v2.0/token`;
}
