/**
 * Metadata of an authorization server (RFC 8414), parsed strictly: where it is found and which of
 * its endpoints take a client certificate (RFC 8705 section 5).
 *
 * @module
 */

import * as v from "valibot";
import { KeyboundError } from "../errors.ts";
import { parse, parseJson, parseUrl } from "../parse.ts";

/** Where a client with a certificate goes. */
export interface ServerEndpoints {
  /** The authorization server's identifier. */
  readonly issuer: string;
  /** Where tokens come from. */
  readonly token: string;
  /** Where tokens are asked about, if anywhere. */
  readonly introspection: string | undefined;
}

/** A URL that a credential may be shown to: https, no user, no fragment; at most 2048 characters. */
const HttpsUrl: v.GenericSchema<string> = v.custom<string>((value) =>
  typeof value === "string" && /^https:\/\/[^/?#@\s\\]+(?:[/?][^#\s\\]*)?$/.test(value) &&
  value.length <= 2048 && parseUrl(value) !== undefined
);

const Metadata = v.looseObject({
  issuer: v.string(),
  token_endpoint: HttpsUrl,
  introspection_endpoint: v.optional(HttpsUrl),
  mtls_endpoint_aliases: v.optional(v.looseObject({
    token_endpoint: v.optional(HttpsUrl),
    introspection_endpoint: v.optional(HttpsUrl),
  })),
});

/**
 * The addresses at which an issuer's metadata is looked for, in this order:
 *
 * 1. `https://host/.well-known/oauth-authorization-server/path`: the well-known part goes between
 *    host and path (RFC 8414 section 3.1);
 * 2. `https://host/path/.well-known/openid-configuration`: it is appended (OpenID Connect Discovery
 *    1.0 section 4), for servers that know nothing else.
 *
 * Throws `invalid_argument` for an issuer that isn't an https URL without user, query and fragment.
 */
export function wellKnownUrls(issuer: string): readonly string[] {
  if (parse(HttpsUrl, issuer) === undefined || issuer.includes("?")) {
    throw new KeyboundError(
      "invalid_argument",
      "'issuer' must be an https URL without user, query and fragment.",
    );
  }
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, "");
  return [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}${path}/.well-known/openid-configuration`,
  ];
}

/**
 * The endpoints in a metadata document, those for certificates where there are any.
 *
 * Throws `issuer_mismatch` for a document of another issuer (compared character by character, RFC
 * 8414 section 3.3), `invalid_server_metadata` for one that isn't whole or names an endpoint that
 * isn't https.
 */
export function readServerMetadata(json: string, issuer: string): ServerEndpoints {
  return endpointsOf(parseJson(Metadata, json), issuer);
}

/** As {@linkcode readServerMetadata}, of a document that the caller has. */
export function givenServerMetadata(document: unknown): ServerEndpoints {
  const metadata = parse(Metadata, document);
  if (metadata !== undefined) wellKnownUrls(metadata.issuer);
  return endpointsOf(metadata, metadata?.issuer);
}

function endpointsOf(
  metadata: v.InferOutput<typeof Metadata> | undefined,
  issuer: string | undefined,
): ServerEndpoints {
  if (metadata === undefined || issuer === undefined) {
    throw new KeyboundError(
      "invalid_server_metadata",
      "The authorization server's metadata isn't that of RFC 8414 section 2: issuer and endpoints, all of them https URLs.",
    );
  }
  if (metadata.issuer !== issuer) {
    throw new KeyboundError(
      "issuer_mismatch",
      "The metadata found is another issuer's. Pass 'issuer' exactly as the server writes it.",
    );
  }
  const { token_endpoint, introspection_endpoint, mtls_endpoint_aliases: aliases } = metadata;
  return Object.freeze({
    issuer,
    token: aliases?.token_endpoint ?? token_endpoint,
    introspection: aliases?.introspection_endpoint ?? introspection_endpoint,
  });
}
