/**
 * The client-credentials request of a confidential client (protocol.md section 8.2).
 *
 * @module
 */

import { KeyboundError } from "../errors.ts";
import { formRequest } from "../token/request.ts";
import type { AssertionKind } from "./mode.ts";
import type { Target } from "./options.ts";

/** What a token request says. */
export interface EntraRequestParameters {
  /** URL of the token endpoint. */
  readonly url: string;
  /** The client. */
  readonly clientId: string;
  /** The scope, as given. */
  readonly scope: string;
  /** The merged `claims` parameter. */
  readonly claims: string | undefined;
  /** Path of a federated managed identity. */
  readonly fmiPath: string | undefined;
  /** What kind of assertion `assertion` is. */
  readonly assertionKind: AssertionKind;
  /** The assertion, where the kind isn't `none`. */
  readonly assertion: string | undefined;
  /** Whether a bound token is asked for. */
  readonly isBound: boolean;
  /** UUID of the acquisition. */
  readonly correlationId: string;
}

const TYPE = "urn:ietf:params:oauth:client-assertion-type:";

/** `client_assertion_type` by kind of assertion. */
const ASSERTION_TYPES: Readonly<Record<AssertionKind, string | undefined>> = {
  none: undefined,
  self_signed: `${TYPE}jwt-bearer`,
  unbound: `${TYPE}jwt-bearer`,
  bound: `${TYPE}jwt-pop`,
};

/** The request; its body can be sent once, so make one an attempt. */
export function entraTokenRequest(
  parameters: EntraRequestParameters,
  signal: AbortSignal,
): Request {
  const { url, clientId, scope, claims, fmiPath } = parameters;
  const { assertionKind, assertion, isBound, correlationId } = parameters;
  const assertionType = ASSERTION_TYPES[assertionKind];
  const form = new URLSearchParams({
    client_id: clientId,
    ...(assertionType === undefined || assertion === undefined
      ? {}
      : { client_assertion: assertion, client_assertion_type: assertionType }),
    scope,
    ...(claims === undefined ? {} : { claims }),
    grant_type: "client_credentials",
    client_info: "2",
    ...(isBound ? { token_type: "mtls_pop" } : {}),
    ...(fmiPath === undefined ? {} : { fmi_path: fmiPath }),
  });
  return formRequest(url, form, correlationId, signal);
}

const DEFAULT = "/.default";

/**
 * The scope of a target. Throws `invalid_argument` where not exactly one of `scope` and `resource`
 * is given, or it is blank, longer than 2048 characters, or holds white space or control characters.
 */
export function scopeOf({ scope, resource }: Target): string {
  const given = scope ?? resource;
  const isGood = typeof given === "string" && (scope === undefined || resource === undefined) &&
    /^[^\s\p{Cc}]{1,2048}$/u.test(given);
  if (!isGood) {
    throw new KeyboundError(
      "invalid_argument",
      `Give a 'scope' like https://vault.azure.net${DEFAULT}, or a 'resource' without it.`,
    );
  }
  const isWhole = scope !== undefined || given.endsWith(DEFAULT);
  return isWhole ? given : `${given}${DEFAULT}`;
}

/** Throws `invalid_argument` for a path that is blank, too long or holds control characters. */
export function assertFmiPath(path: string | undefined): void {
  if (path === undefined || (typeof path === "string" && /^[^\p{Cc}]{1,1024}$/u.test(path))) return;
  throw new KeyboundError("invalid_argument", "'fmiPath' must be a path of plain text.");
}

/** The resource that a scope belongs to. */
export function resourceOf(scope: string): string {
  return scope.endsWith(DEFAULT) ? scope.slice(0, -DEFAULT.length) : scope;
}
