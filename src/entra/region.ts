/**
 * Which region's endpoint to use: what is configured decides whether one is looked for at all
 * (protocol.md section 8.4). No I/O.
 *
 * @module
 */

import { fields, parse, parseJson, text } from "../parse.ts";
import type { Environment } from "../sources/source.ts";

/** What to do about the region. */
export type RegionChoice =
  | { readonly kind: "global" }
  | { readonly kind: "named"; readonly region: string }
  | { readonly kind: "detect" };

/** Longest name; a label of a host has no room for more. */
const NAME = /^[A-Za-z0-9]{1,63}$/;

/** Whether this may be put before a host: ASCII letters and digits, nothing else. */
export function isRegionName(region: string): boolean {
  return NAME.test(region);
}

const DETECT = /^(?:auto|TryAutoDetect)$/i;
const DISABLE = /^(?:none|DisableMsalForceRegion)$/i;

/**
 * What the `region` option and the environment come to: `MSAL_DISABLE_REGION` turns regions off,
 * `MSAL_FORCE_REGION` stands in for an option that isn't given. A name that can't be a region's
 * means the global endpoint.
 */
export function chooseRegion(
  configured: string | undefined,
  environment: Environment,
): RegionChoice {
  const isDisabled = isSet(environment["MSAL_DISABLE_REGION"]);
  const forced = environment["MSAL_FORCE_REGION"];
  const wanted = configured ?? (isSet(forced) ? forced : undefined);
  if (isDisabled || wanted === undefined || DISABLE.test(wanted)) return { kind: "global" };
  if (DETECT.test(wanted)) return { kind: "detect" };
  return isRegionName(wanted) ? { kind: "named", region: wanted } : { kind: "global" };
}

/** The region that `REGION_NAME` names, blanks taken out; `undefined` where it names none. */
export function regionOfEnvironment(environment: Environment): string | undefined {
  const region = environment["REGION_NAME"]?.replaceAll(" ", "");
  return region !== undefined && isRegionName(region) ? region.toLowerCase() : undefined;
}

const Compute = fields({ location: text(NAME) });

/** The region in an answer of the compute metadata; `undefined` for one that isn't plain. */
export function regionOfMetadata(status: number, body: string): string | undefined {
  return status === 200 ? parseJson(Compute, body)?.location : undefined;
}

const Refusal = fields({});
const Version = text(/^\d{4}-\d{2}-\d{2}$/);

/** The newest API version that a metadata service offers in place of the one it refused. */
export function offeredVersion(status: number, body: string): string | undefined {
  if (status !== 400) return undefined;
  const versions = parseJson(Refusal, body)?.["newest-versions"];
  return Array.isArray(versions) ? parse(Version, versions[0]) : undefined;
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== "";
}
