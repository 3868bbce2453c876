/**
 * The endpoints, and what is seen of the requests they get.
 *
 * @module
 */

import type { Step } from "./steps.ts";

/** Endpoints, as counted, recorded and scripted. */
export type EndpointName =
  /** `GET /metadata/identity/getplatformmetadata` */
  | "getplatformmetadata"
  /** The same without a `Metadata` header: somebody probes for IMDS v2. */
  | "imdsv2_probe"
  /** `POST /metadata/identity/issuecredential` */
  | "issuecredential"
  /** `GET /metadata/identity/oauth2/token` */
  | "imdsv1"
  /** The same without a `Metadata` header: somebody probes for IMDS v1. */
  | "imdsv1_probe"
  /** `GET /metadata/instance/compute` */
  | "compute"
  /** App Service: `GET` */
  | "appservice"
  /** Machine Learning: `GET` */
  | "machinelearning"
  /** Cloud Shell: `POST` */
  | "cloudshell"
  /** Arc: `GET`, the challenged request and the one that answers the challenge. */
  | "arc"
  /** Service Fabric: `GET` over https */
  | "servicefabric"
  /** `POST /attest/keyguard` */
  | "attest"
  /** `POST /{tenant}/oauth2/v2.0/token` */
  | "token"
  /** `GET /{tenant}/discovery/v2.0/keys` */
  | "jwks"
  /** `GET /{tenant}/v2.0/.well-known/openid-configuration` */
  | "openid_configuration"
  /** Anything on the resource server. */
  | "resource"
  /** Any other path of any other listener: 404. */
  | "unknown";

/** Listeners that want a client certificate. */
export type MtlsListener = "token" | "resource";

/** Requests by endpoint and TCP connections by mTLS listener, since start or `reset`. */
export type Counts = Readonly<
  Record<EndpointName | "token_connections" | "resource_connections", number>
>;

/** One request as it was seen; never a token, key, assertion or secret. */
export interface RequestRecord {
  /** 1 for the first request since the start. */
  readonly sequence: number;
  /** Milliseconds since the Unix epoch, by the emulator's clock. */
  readonly time: number;
  /** Endpoint it went to. */
  readonly endpoint: EndpointName;
  /** HTTP method. */
  readonly method: string;
  /** Path, without the query. */
  readonly path: string;
  /** Query parameters, decoded; `null` for a value that is withheld. */
  readonly query: Readonly<Record<string, string | null>>;
  /** Headers by lower-case name; `null` for a value that is withheld. */
  readonly headers: Readonly<Record<string, string | null>>;
  /** Scheme of the `Authorization` header, or `null` without one. */
  readonly authorizationScheme: string | null;
  /** Fields of a form or JSON body, with the values of those that are no secret, else `null`. */
  readonly fields: Readonly<Record<string, string | null>>;
  /** `x-ms-client-request-id` or `client-request-id`. */
  readonly correlationId: string | null;
  /** `x5t#S256` of the client certificate presented. */
  readonly thumbprint: string | null;
  /** TLS version of the connection. */
  readonly tlsVersion: string | null;
  /** Number of the TCP connection. */
  readonly connection: number;
  /** Whether that connection had carried an earlier request. */
  readonly reusedConnection: boolean;
  /** Kind of the scripted step that was taken, or `null`. */
  readonly step: Step["kind"] | null;
  /** HTTP status sent, or `null` where none was (yet). */
  readonly status: number | null;
}
