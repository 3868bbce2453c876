/**
 * Mutual TLS with keys that Windows holds and never gives out (CNG, TPM, KeyGuard, CAPI), through
 * SChannel. Needs the package `koffi`; on other systems nothing happens until it is asked for.
 *
 * @module
 */

export { schannelAgent, type SchannelAgentOptions } from "./agent.ts";
export type { SchannelOptions } from "./options.ts";
export { schannelTransport, type SchannelTransportOptions } from "./transport.ts";
export type { HttpsTransportOptions } from "../http/options.ts";
