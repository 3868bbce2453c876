/**
 * What a token is asked for, checked and named.
 *
 * @module
 */

import { KeyboundError } from "../errors.ts";
import { parseUrl } from "../parse.ts";
import type { Rfc8705TokenOptions } from "./options.ts";

/** A question for a token. */
export interface TokenQuery {
  /** Scopes, separated by single spaces. */
  readonly scope: string | undefined;
  /** Resource indicators. */
  readonly resources: readonly string[];
  /** More parameters. */
  readonly parameters: readonly (readonly [name: string, value: string])[];
}

const MAX_RESOURCES = 32;
const MAX_PARAMETERS = 32;

/** Parameters that this library sets, or that would authenticate the client in another way. */
const RESERVED: ReadonlySet<string> = new Set([
  "client_assertion",
  "client_assertion_type",
  "client_id",
  "client_secret",
  "grant_type",
  "refresh_token",
  "resource",
  "scope",
]);

/**
 * The question. Throws `invalid_argument` for scopes that aren't those of RFC 6749 section 3.3,
 * resources that aren't absolute URIs without fragment (RFC 8707 section 2), and parameters that
 * aren't the caller's to set.
 */
export function tokenQuery(options: Rfc8705TokenOptions): TokenQuery {
  const { scope, resource = [], parameters = {} } = options;
  if (scope !== undefined && !isScope(scope)) {
    throw misused("'scope' must be scopes separated by single spaces, as RFC 6749 has them.");
  }
  const resources = typeof resource === "string" ? [resource] : [...resource];
  if (resources.length > MAX_RESOURCES || !resources.every(isResource)) {
    throw misused("'resource' must be absolute URIs without fragment, at most 32.");
  }
  const pairs = Object.entries(parameters);
  const isFine = ([name, value]: [string, unknown]) =>
    /^[\w.-]{1,128}$/.test(name) && !RESERVED.has(name) &&
    typeof value === "string" && value.length <= 8192;
  if (pairs.length > MAX_PARAMETERS || !pairs.every(isFine)) {
    throw misused("'parameters' must be texts under names that this library doesn't set itself.");
  }
  return { scope, resources, parameters: pairs };
}

/** Everything that tokens differ by; the order of scopes, resources and parameters is no difference. */
export function queryKey({ scope, resources, parameters }: TokenQuery): string {
  const scopes = scope === undefined ? null : [...new Set(scope.split(" "))].sort();
  const pairs = parameters.map((pair) => JSON.stringify(pair)).sort();
  return JSON.stringify([scopes, [...new Set(resources)].sort(), pairs]);
}

function isScope(scope: unknown): boolean {
  return typeof scope === "string" && scope.length <= 8192 &&
    /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/.test(scope);
}

function isResource(resource: unknown): boolean {
  return typeof resource === "string" && /^[^\s#]{1,2048}$/.test(resource) &&
    parseUrl(resource) !== undefined;
}

function misused(message: string): KeyboundError {
  return new KeyboundError("invalid_argument", message);
}
