/**
 * Where the instance metadata service is and how its URLs look (protocol.md sections 1.1, 1.2).
 *
 * @module
 */

import { KeyboundError } from "../errors.ts";
import type { Identity } from "../identity.ts";
import { parseUrl } from "../parse.ts";

/** The variable that moves the metadata service; an emulator's, for example. */
export const METADATA_HOST_VARIABLE = "AZURE_POD_IDENTITY_AUTHORITY_HOST";

const LINK_LOCAL = "http://169.254.169.254";

/**
 * Scheme, host and port of the metadata service: the link-local address, or what
 * `AZURE_POD_IDENTITY_AUTHORITY_HOST` says (its path is thrown away).
 *
 * Throws `invalid_managed_identity_endpoint` where the variable isn't an absolute http(s) URL.
 */
export function metadataBase(environment: Readonly<Record<string, string | undefined>>): string {
  const override = environment[METADATA_HOST_VARIABLE];
  if (override === undefined || override === "") return LINK_LOCAL;
  const url = parseUrl(override);
  if (url === undefined || !/^https?:\/\/[^@/]+$/.test(url.origin) || override.includes("@")) {
    throw new KeyboundError(
      "invalid_managed_identity_endpoint",
      `${METADATA_HOST_VARIABLE} is not a URL like http://127.0.0.1:8080.`,
      { source: "Imds" },
    );
  }
  return url.origin;
}

/** URL of an IMDSv2 credential API for this identity. */
export function credentialUrl(
  base: string,
  api: "getplatformmetadata" | "issuecredential",
  identity: Identity,
): string {
  const [parameter, id = ""] = identity.selector ?? [];
  const selector = parameter && `&${parameter}=${encodeURIComponent(id)}`;
  return `${base}/metadata/identity/${api}?cred-api-version=2.0${selector ?? ""}`;
}
