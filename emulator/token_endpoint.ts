/**
 * The token endpoint over mutual TLS and its discovery documents (protocol.md section 1.7).
 *
 * @module
 */

import { randomUUID } from "node:crypto";
import { badRequest, type Refusal, refusalReply } from "./aadsts.ts";
import { authenticate } from "./client_authentication.ts";
import type { Core } from "./core.ts";
import { emulatedHost } from "./emulated_host.ts";
import { type Exchange, type Handler, mediaType, type Reply } from "./exchange.ts";
import type { Json } from "./steps.ts";

const SUFFIX = "/.default";

interface TokenRequest {
  readonly clientId: string;
  readonly resource: string;
  readonly bound: boolean;
  readonly capabilities: readonly string[];
  readonly assertion: string | null;
  readonly assertionType: string | null;
}

/** Handler of `POST /{tenant}/oauth2/v2.0/token`, also below `/dstsv2`. */
export function tokenEndpoint(core: Core): Handler {
  return async (exchange) => {
    const sent = exchange.headers["client-request-id"]?.toString();
    const correlationId = sent ?? randomUUID();
    const reply = await answer(core, exchange, correlationId);
    const wanted = exchange.headers["return-client-request-id"]?.toString().toLowerCase();
    return {
      ...reply,
      headers: {
        "cache-control": "no-store, no-cache",
        pragma: "no-cache",
        "x-ms-request-id": randomUUID(),
        ...(wanted === "true" && sent !== undefined ? { "client-request-id": sent } : {}),
        ...reply.headers,
      },
    };
  };
}

async function answer(core: Core, exchange: Exchange, correlationId: string): Promise<Reply> {
  const now = core.now();
  const refuse = (refusal: Refusal) => refusalReply(refusal, now, correlationId);
  if (exchange.method !== "POST") {
    return {
      ...refuse(badRequest(900561, "The endpoint only accepts POST requests.")),
      status: 405,
    };
  }
  const tenantId = tenantOf(exchange.path);
  const { identities, applications } = core.surroundings;
  if (![...identities, ...applications].some((principal) => principal.tenantId === tenantId)) {
    return refuse(badRequest(90002, "The tenant was not found."));
  }
  const request = readRequest(exchange);
  if ("error" in request) return refuse(request);
  const host = emulatedHost(exchange.headers, exchange.path, core.addresses.mtls);
  const peer = host.asksForCertificate ? exchange.peer : undefined;
  const authentication = await authenticate(core, {
    ...request,
    tenantId,
    tokenEndpoint: `${host.origin}${exchange.path}`,
    peer,
  });
  if ("refusal" in authentication) return refuse(authentication.refusal);
  if (request.bound && peer === undefined) {
    return refuse(badRequest(392200, "A client certificate is required on the TLS connection."));
  }
  const { tokenLifetime, tokenRefreshIn, tokenType, tokenAudience, tokenBound } = core.state;
  const seconds = Math.floor(tokenLifetime / 1000);
  return {
    status: 200,
    json: {
      token_type: tokenType ?? (request.bound ? "mtls_pop" : "Bearer"),
      expires_in: seconds,
      ext_expires_in: seconds,
      ...(tokenRefreshIn === null ? {} : { refresh_in: Math.floor(tokenRefreshIn / 1000) }),
      resource: request.resource,
      access_token: await core.tokens.issue({
        issuer: `${core.addresses.mtls}/${tenantId}/v2.0`,
        audience: tokenAudience ?? request.resource,
        principal: authentication.client,
        now,
        lifetime: tokenLifetime,
        thumbprint: request.bound && tokenBound ? peer?.thumbprint : undefined,
        capabilities: request.capabilities,
      }),
    },
  };
}

function readRequest(exchange: Exchange): TokenRequest | Refusal {
  if (mediaType(exchange.headers) !== "application/x-www-form-urlencoded") {
    return badRequest(900144, "The content type is not application/x-www-form-urlencoded.");
  }
  const form = new URLSearchParams(new TextDecoder().decode(exchange.body));
  const names = [...form.keys()];
  if (new Set(names).size !== names.length) {
    return badRequest(900144, "The request body contains a parameter more than once.");
  }
  const missing = ["grant_type", "client_id", "scope"].find((name) => !form.get(name));
  if (missing !== undefined) {
    return badRequest(
      900144,
      `The request body must contain the following parameter: '${missing}'.`,
    );
  }
  if (form.get("grant_type") !== "client_credentials") {
    return {
      status: 400,
      error: "unsupported_grant_type",
      code: 70003,
      text: "The app requested an unsupported grant type.",
    };
  }
  const scope = form.get("scope")!;
  if (!scope.endsWith(SUFFIX) || scope.length === SUFFIX.length || /\s/.test(scope)) {
    return {
      status: 400,
      error: "invalid_scope",
      code: 1002012,
      text:
        "The scope of a client credential request must be one resource suffixed with /.default.",
    };
  }
  const type = form.get("token_type");
  if (type !== null && type !== "mtls_pop" && type !== "Bearer") {
    return badRequest(900144, "The token_type is not supported.");
  }
  const capabilities = readCapabilities(form.get("claims"));
  if (capabilities === undefined) {
    return badRequest(900146, "The claims parameter is not a valid JSON object.");
  }
  return {
    clientId: form.get("client_id")!.toLowerCase(),
    resource: scope.slice(0, -SUFFIX.length),
    bound: type === "mtls_pop",
    capabilities,
    assertion: form.get("client_assertion"),
    assertionType: form.get("client_assertion_type"),
  };
}

/** `access_token.xms_cc.values` of a claims request; `undefined` where that is no JSON object. */
function readCapabilities(claims: string | null): string[] | undefined {
  if (claims === null) return [];
  try {
    const parsed = JSON.parse(claims);
    if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) return undefined;
    const values = parsed.access_token?.xms_cc?.values ?? [];
    const strings = Array.isArray(values) && values.every((value) => typeof value === "string");
    return strings ? values : undefined;
  } catch {
    return undefined;
  }
}

/** Handler of `GET /{tenant}/discovery/v2.0/keys`. */
export function jwks(core: Core): Handler {
  return async () => ({ status: 200, json: await core.tokens.jwks() as unknown as Json });
}

/** Handler of `GET /{tenant}/v2.0/.well-known/openid-configuration`. */
export function openidConfiguration(core: Core): Handler {
  return ({ path }) => {
    const base = `${core.addresses.mtls}/${tenantOf(path)}`;
    return {
      status: 200,
      json: {
        issuer: `${base}/v2.0`,
        token_endpoint: `${base}/oauth2/v2.0/token`,
        jwks_uri: `${base}/discovery/v2.0/keys`,
        token_endpoint_auth_methods_supported: ["tls_client_auth", "private_key_jwt"],
        tls_client_certificate_bound_access_tokens: true,
        response_types_supported: ["token"],
        subject_types_supported: ["pairwise"],
        id_token_signing_alg_values_supported: ["RS256"],
      },
    };
  };
}

function tenantOf(path: string): string {
  return path.replace(/^\/dstsv2\//, "/").split("/")[1]!.toLowerCase();
}
