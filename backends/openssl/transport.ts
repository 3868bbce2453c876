/**
 * The transport over OpenSSL.
 *
 * @module
 */

import type { MtlsTransport } from "../../src/transports.ts";
import type { HttpsTransportOptions } from "../http/options.ts";
import { httpsSettings, HttpsTransport } from "../http/transport.ts";
import { credentialAgents } from "../tls_engine/credential_agents.ts";
import { assertAccepted, canSign, LazyRuntime, type OpensslOptions } from "./options.ts";

/** Options of {@linkcode opensslTransport}. */
export interface OpensslTransportOptions extends OpensslOptions, HttpsTransportOptions {}

/**
 * A transport for any key that signs; the same on Node, Deno and Bun.
 *
 * - It costs nothing until the first request, which loads OpenSSL.
 * - The server is verified by OpenSSL: its chain, its host name (by subject alternative names alone)
 *   or IP address. Renegotiation is refused, and a TCP end without `close_notify` is an error.
 * - A key whose signatures are PKCS#1 alone is used under TLS 1.2.
 * - Sessions are resumed for `pooled` requests, per credential and server, until it is retired.
 * - A server that doesn't ask for a certificate gets none: that is for the server to say. One that
 *   asks and takes none of the key's signatures is refused with `unsupported_scheme`.
 * - What `pooled` means, and what becomes of bodies and headers, is as with `nodeTlsTransport`.
 *
 * Besides what the port says, `fetch` rejects before any network with `missing_dependency`,
 * `transport_not_available` where the runtime doesn't let native libraries in, `unsupported_key`,
 * `unsupported_scheme` and `invalid_argument`; and with what the key fails with: `key_unusable`,
 * `key_provider_unavailable`. Throws `invalid_argument` and `invalid_pem` for its options.
 *
 * @example
 * ```ts
 * const transport = opensslTransport();
 * const request = new Request("https://resource.example/", { headers: { authorization } });
 * const response = await transport.fetch(request, credential);
 * ```
 */
export function opensslTransport(options: OpensslTransportOptions = {}): MtlsTransport {
  return transportOver(new LazyRuntime(options), options);
}

/** {@linkcode opensslTransport} over an OpenSSL that others see too. */
export function transportOver(
  runtime: LazyRuntime,
  options: HttpsTransportOptions,
): MtlsTransport {
  const settings = httpsSettings(options);
  return new HttpsTransport({
    name: "openssl",
    accepts: canSign,
    async createAgents(credential, versions) {
      assertAccepted(credential.key);
      const source = (await runtime.load()).source(credential, versions);
      return credentialAgents(source, settings.keepAliveTimeout);
    },
    async close() {
      await runtime.close();
    },
  }, settings);
}
