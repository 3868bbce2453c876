/**
 * Protected keys for `@azure/msal-node`: client assertions signed where the key is, and token requests
 * over mutual TLS.
 *
 * @example
 * ```ts
 * import { ConfidentialClientApplication } from "@azure/msal-node";
 * import { clientAssertion, mtlsNetwork } from "keybound/msal-node";
 *
 * const app = new ConfidentialClientApplication({
 *   auth: { clientId, authority, clientAssertion: clientAssertion({ credential, overMtls: true }) },
 *   system: { networkClient: mtlsNetwork({ credential, transports }) },
 * });
 * ```
 *
 * @module
 */

export {
  type AssertionConfig,
  clientAssertion,
  type ClientAssertionCallback,
  type ClientAssertionOptions,
} from "./assertion.ts";
export {
  mtlsNetwork,
  type MtlsNetworkOptions,
  type NetworkAnswer,
  type NetworkModule,
  type NetworkRequest,
} from "./network.ts";
export type { CredentialSource } from "../../src/rfc8705/options.ts";
