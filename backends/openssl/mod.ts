/**
 * Mutual TLS with keys that can't leave their place (HSM, TPM, or any `SigningKey`), through the
 * system's OpenSSL. Needs the package `koffi` and OpenSSL 3.0 or later.
 *
 * @module
 */

export { opensslAgent, type OpensslAgentOptions } from "./agent.ts";
export { findOpenssl, type FindOptions } from "./find.ts";
export type { OpensslLibraries, OpensslLocation } from "./find.ts";
export type { OpensslOptions } from "./options.ts";
export type { Signing } from "./runtime.ts";
export { opensslTransport, type OpensslTransportOptions } from "./transport.ts";
export type { HttpsTransportOptions } from "../http/options.ts";
