/**
 * What the sources' requests are made of: URLs and secrets from the environment, and refusals.
 *
 * @module
 */

import { type ErrorCode, KeyboundError } from "../errors.ts";
import type { Identity } from "../identity.ts";
import { parseUrl } from "../parse.ts";
import type { Environment, SourceName } from "./source.ts";

/** Names and values of a query or form; those without a value are left out. */
export type Parameters = readonly (readonly [name: string, value: string | undefined])[];

/** The parameters, percent-encoded. */
export function encodeParameters(parameters: Parameters): string {
  return parameters.filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value!)}`).join("&");
}

/**
 * The endpoint that a variable names. Throws `invalid_managed_identity_endpoint` where that isn't an
 * absolute http(s) URL without user and fragment; with `httpsOnly`, for plain http too.
 */
export function endpointVariable(
  environment: Environment,
  variable: string,
  source: SourceName,
  httpsOnly = false,
): URL {
  const url = parseUrl(environment[variable] ?? "");
  const protocols = httpsOnly ? /^https:$/ : /^https?:$/;
  if (
    url === undefined || !protocols.test(url.protocol) || url.username !== "" ||
    url.password !== "" || url.hash !== ""
  ) {
    const kind = httpsOnly ? "an https URL" : "a URL like http://127.0.0.1:8080/token";
    throw badVariable(variable, source, kind);
  }
  return url;
}

/**
 * A secret for a header. Throws `invalid_managed_identity_endpoint` for what no header can carry: the
 * runtime's own complaint would repeat it.
 */
export function secretVariable(
  environment: Environment,
  variable: string,
  source: SourceName,
): string {
  const secret = environment[variable] ?? "";
  if (!isHeaderText(secret)) {
    throw badVariable(variable, source, "printable ASCII of 1 to 4096 characters");
  }
  return secret;
}

/** Whether a header can carry it as it is. */
export function isHeaderText(text: string): boolean {
  return /^[\x21-\x7e](?:[\x20-\x7e]{0,4094}[\x21-\x7e])?$/.test(text);
}

/** The URL with these parameters after those it has. */
export function withParameters(url: URL, parameters: Parameters): string {
  const whole = new URL(url);
  const given = whole.search === "" ? "" : `${whole.search.slice(1)}&`;
  whole.search = given + encodeParameters(parameters);
  return whole.href;
}

/** The URL with these parameters in place of those that have the same names. */
export function withOverrides(url: string, parameters: Readonly<Record<string, string>>): string {
  const whole = new URL(url);
  const kept = whole.search.slice(1).split("&").filter((pair) => {
    // Unlike `decodeURIComponent`, it takes whatever the environment's own query holds.
    const [name] = new URLSearchParams(pair).keys();
    return name !== undefined && !Object.hasOwn(parameters, name);
  });
  whole.search = [...kept, encodeParameters(Object.entries(parameters))].join("&");
  return whole.href;
}

/** The error for an environment variable that can't be right. Its value isn't told. */
export function badVariable(variable: string, source: SourceName, kind: string): KeyboundError {
  return new KeyboundError(
    "invalid_managed_identity_endpoint",
    `[${source}] The environment variable ${variable} is not ${kind}. Correct it or remove it.`,
    { source },
  );
}

/** The error for an identity that this source can't give. */
export function refusedIdentity(
  code: ErrorCode,
  source: SourceName,
  advice: string,
): KeyboundError {
  return new KeyboundError(code, `[${source}] ${advice}`, { source });
}

/** Throws `user_assigned_managed_identity_not_supported` for any but the host's own identity. */
export function assertSystemAssigned(identity: Identity, source: SourceName): void {
  if (identity.selector === undefined) return;
  throw refusedIdentity(
    "user_assigned_managed_identity_not_supported",
    source,
    "This source has the host's own identity only. Leave out clientId, resourceId and objectId.",
  );
}
