/**
 * Certificate-bound access tokens from any authorization server that knows RFC 8705.
 *
 * @example
 * ```ts
 * import { rfc8705Client } from "keybound/rfc8705";
 * import { detect } from "keybound/detect";
 *
 * const { transports } = await detect();
 * const client = rfc8705Client({
 *   issuer: "https://as.example.com",
 *   clientId: "my-service",
 *   credential,
 *   transports,
 * });
 * const response = await client.fetch("https://api.example.com/orders", { scope: "orders.read" });
 * ```
 *
 * @module
 */

export { rfc8705Client } from "./client.ts";
export type {
  AuthorizationServerMetadata,
  CredentialSource,
  MtlsEndpointAliases,
  Rfc8705BoundRequestInit,
  Rfc8705Client,
  Rfc8705ClientOptions,
  Rfc8705Token,
  Rfc8705TokenOptions,
} from "./options.ts";
