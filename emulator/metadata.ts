/**
 * The instance metadata service: platform metadata, binding certificates, IMDS v1 tokens, compute
 * metadata (protocol.md sections 1.3, 1.6, 7.7, 8.4).
 *
 * @module
 */

import { generateKeyPair } from "node:crypto";
import { promisify } from "node:util";
import { bearerAnswer } from "./bearer_token.ts";
import type { Core } from "./core.ts";
import { judgeCsr } from "./csr_judge.ts";
import {
  type Exchange,
  type Handler,
  hasMetadataHeader,
  jsonObject,
  mediaType,
  methodNotAllowed,
  oauthError,
  type Reply,
} from "./exchange.ts";
import { type Choice, chooseIdentity, IMDS_SELECTORS } from "./identity_selector.ts";

/** `Server` header of the metadata service. */
export const IMDS_SERVER = "IMDS/150.870.65.1854";

/** API versions of the compute metadata, the newest first. */
const COMPUTE_VERSIONS = ["2021-02-01", "2020-10-01", "2020-09-01"];

/** Handler of `GET /metadata/identity/getplatformmetadata`. */
export function platformMetadata(core: Core): Handler {
  return (exchange) => {
    if (core.state.v1Only) return { status: 404 };
    const refusal = refuse(exchange, "GET") ?? refuseVersion(exchange);
    if (refusal !== undefined) return refusal;
    const identity = chosen(core, exchange);
    if ("refusal" in identity) return oauthError(400, "invalid_request", identity.refusal);
    const { vmId, vmssId } = core.surroundings.cuId;
    return {
      status: 200,
      json: {
        cuId: { ...(vmId ? { vmId } : {}), ...(vmssId ? { vmssId } : {}) },
        clientId: identity.chosen.clientId,
        tenantId: identity.chosen.tenantId,
        attestationEndpoint: core.addresses.attestation,
      },
    };
  };
}

/** Handler of `POST /metadata/identity/issuecredential`. */
export function issueCredential(core: Core): Handler {
  return async (exchange) => {
    if (core.state.v1Only) return { status: 404 };
    const refusal = refuse(exchange, "POST") ?? refuseVersion(exchange);
    if (refusal !== undefined) return refusal;
    const identity = chosen(core, exchange);
    if ("refusal" in identity) return oauthError(400, "invalid_request", identity.refusal);
    if (mediaType(exchange.headers) !== "application/json") {
      return oauthError(400, "invalid_request", "The content type is not application/json.");
    }
    const request = jsonObject(exchange.body);
    const csr = request?.["csr"];
    if (typeof csr !== "string") {
      return oauthError(400, "invalid_request", "The body is not a JSON object with a 'csr'.");
    }
    const { clientId, tenantId, kind } = identity.chosen;
    const verdict = judgeCsr(core.peers.x509, csr, {
      clientId,
      tenantId,
      cuId: core.surroundings.cuId,
      acceptEc: core.state.acceptEc,
    });
    if ("refusal" in verdict) return oauthError(400, "invalid_request", verdict.refusal);

    const token = request!["attestation_token"];
    if (token === undefined || token === "") {
      if (core.state.attestation === "required") {
        return oauthError(
          400,
          "invalid_request",
          "Attestation Token is missing / empty in the issue credential request",
        );
      }
    } else if (
      typeof token !== "string" ||
      !await core.attestor.accepts(token, verdict.good.publicKey, clientId, core.now())
    ) {
      return oauthError(400, "invalid_request", "The attestation token is not valid for this key.");
    }
    const spki = core.state.wrongCertificateKey ? await strangerKey() : verdict.good.spki;
    const der = await core.authority.issueClient({ spki, clientId, tenantId, ...core.validity() });
    return {
      status: 200,
      json: {
        client_id: clientId,
        tenant_id: tenantId,
        certificate: Buffer.from(der).toString("base64"),
        identity_type: kind === "system" ? "SystemAssigned" : "UserAssigned",
        mtls_authentication_endpoint: core.addresses.mtls,
      },
    };
  };
}

/** Handler of `GET /metadata/identity/oauth2/token`: an unbound bearer token. */
export function imdsV1Token(core: Core): Handler {
  return async (exchange) => {
    const refusal = refuse(exchange, "GET");
    if (refusal !== undefined) return refusal;
    const { query } = exchange;
    if (only(query, "api-version") !== "2018-02-01") {
      return oauthError(400, "invalid_request", "The api-version is missing or not supported.");
    }
    const resource = only(query, "resource");
    if (!resource) {
      return oauthError(400, "invalid_request", "Required query variable 'resource' is missing.");
    }
    const identity = chosen(core, exchange);
    if ("refusal" in identity) return oauthError(400, "invalid_request", identity.refusal);
    const answer = await bearerAnswer(core, { principal: identity.chosen, resource });
    const seconds = Math.floor(core.state.tokenLifetime / 1000);
    return {
      status: 200,
      json: {
        ...answer,
        expires_in: `${seconds}`,
        ext_expires_in: `${seconds}`,
        not_before: `${Number(answer.expires_on) - seconds}`,
      },
    };
  };
}

/** Handler of `GET /metadata/instance/compute`. */
export function computeMetadata(core: Core): Handler {
  return (exchange): Reply => {
    const refusal = refuse(exchange, "GET");
    if (refusal !== undefined) return refusal;
    const version = exchange.query.get("api-version");
    if (version === null || !COMPUTE_VERSIONS.includes(version)) {
      const error = version === null
        ? "Bad request. api-version was not specified in the request. For more information refer to aka.ms/azureimds"
        : "Bad request. api-version is invalid or was not specified in the request. For more information refer to aka.ms/azureimds";
      return { status: 400, json: { error, "newest-versions": COMPUTE_VERSIONS } };
    }
    const { location, osType, securityType } = core.state.compute;
    const { vmId, vmssId } = core.surroundings.cuId;
    return {
      status: 200,
      json: {
        location,
        osType,
        securityProfile: { securityType },
        vmId: vmId ?? "",
        vmScaleSetName: vmssId ?? "",
      },
    };
  };
}

function chosen(core: Core, { query }: Exchange): Choice {
  return chooseIdentity(core.surroundings.identities, query, IMDS_SELECTORS);
}

/** What every metadata endpoint refuses, in the words of the real one. */
function refuse(exchange: Exchange, method: string): Reply | undefined {
  if (exchange.method !== method) return methodNotAllowed(method);
  if (!hasMetadataHeader(exchange.headers)) {
    return oauthError(400, "invalid_request", "Required metadata header not specified");
  }
  if (exchange.headers["x-forwarded-for"] !== undefined) {
    return oauthError(400, "invalid_request", "X-Forwarded-For header is not allowed");
  }
  return undefined;
}

function refuseVersion(exchange: Exchange): Reply | undefined {
  return only(exchange.query, "cred-api-version") === "2.0"
    ? undefined
    : oauthError(400, "invalid_request", "The cred-api-version is missing or not supported.");
}

/** The value of a parameter that is there once. */
function only(query: URLSearchParams, name: string): string | undefined {
  const [value, ...others] = query.getAll(name);
  return others.length === 0 ? value : undefined;
}

/** A public key whose private half nobody has. */
async function strangerKey(): Promise<Uint8Array<ArrayBuffer>> {
  const { publicKey } = await promisify(generateKeyPair)("rsa", { modulusLength: 2048 });
  return Uint8Array.from(publicKey.export({ format: "der", type: "spki" }));
}
