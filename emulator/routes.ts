/**
 * Which endpoint a request is for, listener by listener.
 *
 * @module
 */

import type { IncomingMessage } from "node:http";
import { attest } from "./attestation.ts";
import { blobStorage, isBlobRequest } from "./blob_storage.ts";
import type { Core } from "./core.ts";
import type { ListenerService, Route } from "./endpoint_server.ts";
import type { Handler } from "./exchange.ts";
import { isVaultRequest, keyVault } from "./key_vault.ts";
import {
  computeMetadata,
  IMDS_SERVER,
  imdsV1Token,
  issueCredential,
  platformMetadata,
} from "./metadata.ts";
import { appService, arc, cloudShell, machineLearning, serviceFabric } from "./sources.ts";
import { SERVICE_FABRIC_PATH, SOURCE_PATHS } from "./source_environments.ts";
import { resourceServer } from "./resource_server.ts";
import { jwks, openidConfiguration, tokenEndpoint } from "./token_endpoint.ts";
import type { EndpointName } from "./traffic.ts";

const UNKNOWN: Route = { endpoint: "unknown", handler: () => ({ status: 404 }) };

/** Routes of the metadata service. */
export function metadataService(core: Core): ListenerService {
  const probed = (
    endpoint: EndpointName,
    probe: EndpointName,
    handler: Handler,
  ) =>
  (request: IncomingMessage): Route => ({
    endpoint: request.headers["metadata"] === undefined ? probe : endpoint,
    handler,
  });
  const platform = probed("getplatformmetadata", "imdsv2_probe", platformMetadata(core));
  const v1 = probed("imdsv1", "imdsv1_probe", imdsV1Token(core));
  const issue: Route = { endpoint: "issuecredential", handler: issueCredential(core) };
  const compute: Route = { endpoint: "compute", handler: computeMetadata(core) };
  return {
    headers: { server: IMDS_SERVER },
    route(path, request) {
      switch (path) {
        case "/metadata/identity/getplatformmetadata":
          return platform(request);
        case "/metadata/identity/issuecredential":
          return issue;
        // The second is how msal-node asks.
        case "/metadata/identity/oauth2/token":
        case "/metadata/identity/oauth2/token/":
          return v1(request);
        case "/metadata/instance/compute":
          return compute;
        default:
          return UNKNOWN;
      }
    },
  };
}

/** Routes of the sources that share an origin. */
export function sourcesService(core: Core): ListenerService {
  const routes = new Map<string, Route>([
    [SOURCE_PATHS.appservice, { endpoint: "appservice", handler: appService(core) }],
    [SOURCE_PATHS.machinelearning, { endpoint: "machinelearning", handler: machineLearning(core) }],
    [SOURCE_PATHS.cloudshell, { endpoint: "cloudshell", handler: cloudShell(core) }],
    [SOURCE_PATHS.arc, { endpoint: "arc", handler: arc(core) }],
  ]);
  return { route: (path) => routes.get(path) ?? UNKNOWN };
}

/** Routes of Service Fabric. */
export function serviceFabricService(core: Core): ListenerService {
  const route: Route = { endpoint: "servicefabric", handler: serviceFabric(core) };
  return { route: (path) => path === SERVICE_FABRIC_PATH ? route : UNKNOWN };
}

/** Routes of the attestation service. */
export function attestationService(core: Core): ListenerService {
  const route: Route = { endpoint: "attest", handler: attest(core) };
  return { route: (path) => path === "/attest/keyguard" ? route : UNKNOWN };
}

/** Routes of the token endpoint and its discovery documents. */
export function tokenService(core: Core): ListenerService {
  const routes: readonly (readonly [RegExp, Route])[] = [
    [/^(?:\/dstsv2)?\/[^/]+\/oauth2\/v2\.0\/token$/, {
      endpoint: "token",
      handler: tokenEndpoint(core),
    }],
    [/^\/[^/]+\/discovery\/v2\.0\/keys$/, { endpoint: "jwks", handler: jwks(core) }],
    [/^\/[^/]+\/v2\.0\/\.well-known\/openid-configuration$/, {
      endpoint: "openid_configuration",
      handler: openidConfiguration(core),
    }],
  ];
  return {
    route: (path) => routes.find(([pattern]) => pattern.test(path))?.[1] ?? UNKNOWN,
    seesCertificate: (connection) =>
      core.state.certificateOverTls13 || connection.tlsVersion !== "TLSv1.3",
    welcomes: ({ peer }) =>
      core.state.revocation !== "reset" || peer === undefined || !core.isRevoked(peer),
  };
}

/** Routes of the resource server: a vault, blobs, and one for everything else. */
export function resourceService(core: Core): ListenerService {
  const route: Route = { endpoint: "resource", handler: resourceServer(core), streams: true };
  const vault: Route = { endpoint: "resource", handler: keyVault(core) };
  const blobs: Route = { endpoint: "resource", handler: blobStorage(core), streams: true };
  return {
    route(path, request) {
      if (isVaultRequest(path, request)) return vault;
      return isBlobRequest(path, request) ? blobs : route;
    },
  };
}
