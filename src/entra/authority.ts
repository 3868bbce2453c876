/**
 * Whose token endpoint it is: a cloud's host and a tenant, or a dSTS (protocol.md sections 8.3, 8.5).
 *
 * @module
 */

import { KeyboundError } from "../errors.ts";
import { Identifier, parse } from "../parse.ts";

/** A checked authority. */
export interface Authority {
  /** `entra` for the hosts of a cloud, `dsts` for a dSTS, whose URLs are used as they are. */
  readonly kind: "entra" | "dsts";
  /** Host name, lower case; never a port. */
  readonly host: string;
  /** Tenant, lower case: id, domain, `consumers`; not yet judged. */
  readonly tenant: string;
}

/** A host name with at least one dot, in plain letters: no user, port, escape or final dot. */
const HOST =
  /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]*[a-z0-9])?$/i;

const AUTHORITY = /^https:\/\/([^/]+)\/(?:(dstsv2)\/)?([^/?#]+)\/?$/i;

/** Tenants that stand for whoever signs in: a client that signs itself in has no such tenant. */
const NON_TENANTS: readonly string[] = ["common", "organizations"];

/**
 * The authority of a URL `https://{host}/{tenant}` or `https://{host}/dstsv2/{tenant}`.
 *
 * Throws `invalid_argument` for anything else: another scheme, a user, port, query or further path,
 * a host that isn't a plain ASCII name. The text itself is looked at, not what a URL parser would
 * make of it, so that no certificate goes to a host that reads like another one.
 */
export function parseAuthority(authority: string): Authority {
  // Put into lower case only once it is seen to be ASCII: the Kelvin sign would become a plain "k".
  const text = typeof authority === "string" ? authority : "";
  const [, host = "", dsts, tenant = ""] = AUTHORITY.exec(text) ?? [];
  if (!HOST.test(host)) {
    throw new KeyboundError(
      "invalid_argument",
      "'authority' must be like https://login.microsoftonline.com/<tenant>.",
    );
  }
  return Object.freeze({
    kind: dsts === undefined ? "entra" : "dsts",
    host: host.toLowerCase(),
    tenant: checkedTenant(tenant),
  });
}

/** The same authority for another tenant. Throws `invalid_argument` for what can't be one. */
export function withTenant(authority: Authority, tenant: string): Authority {
  return Object.freeze({ ...authority, tenant: checkedTenant(tenant) });
}

/**
 * Throws `missing_tenanted_authority` for a tenant that stands for any: `common`, `organizations`.
 * A dSTS has tenants of its own and says so itself.
 */
export function assertTenanted({ kind, tenant }: Authority): void {
  if (kind === "dsts" || !NON_TENANTS.includes(tenant)) return;
  throw new KeyboundError(
    "missing_tenanted_authority",
    `A client can't get a token of its own from '/${tenant}'. Name the tenant in 'authority'.`,
  );
}

function checkedTenant(tenant: string): string {
  const checked = parse(Identifier, tenant)?.toLowerCase();
  if (checked !== undefined) return checked;
  throw new KeyboundError("invalid_argument", "The tenant must be its id or one of its domains.");
}
