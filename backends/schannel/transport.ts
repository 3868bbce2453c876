/**
 * The transport over SChannel.
 *
 * @module
 */

import type { MtlsTransport } from "../../src/transports.ts";
import type { HttpsTransportOptions } from "../http/options.ts";
import { httpsSettings, HttpsTransport } from "../http/transport.ts";
import { credentialAgents } from "../tls_engine/credential_agents.ts";
import { canUse, LazySchannel, type SchannelOptions } from "./options.ts";

/** Options of {@linkcode schannelTransport}. */
export interface SchannelTransportOptions extends SchannelOptions, HttpsTransportOptions {}

/**
 * A transport for keys of Windows that can't leave it: CNG keys (KeyGuard, TPM, software) and
 * containers of CAPI. The same on Node, Deno and Bun; Windows alone.
 *
 * - It costs nothing until the first request, which loads secur32.dll and crypt32.dll.
 * - Windows signs: nothing is exported, and `sign` of the key isn't called.
 * - The server is verified by CryptoAPI, against the user's trusted roots or `ca` alone, and by its
 *   subject alternative names. Revocation isn't checked. Under TLS 1.2 the client's certificate is
 *   shown before that, under TLS 1.3 after; no byte of a request goes out before. Renegotiation is
 *   refused, and a TCP end without `close_notify` is an error.
 * - TLS 1.3 takes Windows 11 or Windows Server 2022, and a key that signs by more than PKCS#1.
 * - Sessions are resumed by Windows for `pooled` requests, per credential, until it is retired.
 * - A server that doesn't ask for a certificate gets none: that is for the server to say.
 * - What `pooled` means, and what becomes of bodies and headers, is as with `nodeTlsTransport`.
 *
 * Besides what the port says, `fetch` rejects before any network with `missing_dependency`,
 * `transport_not_available` on other systems, `unsupported_scheme` and `invalid_certificate`; and
 * with what the key fails with: `key_unusable`, `key_provider_unavailable`. Throws
 * `invalid_argument` and `invalid_pem` for its options.
 *
 * @example
 * ```ts
 * const transport = schannelTransport();
 * const request = new Request("https://resource.example/", { headers: { authorization } });
 * const response = await transport.fetch(request, credential);
 * ```
 */
export function schannelTransport(options: SchannelTransportOptions = {}): MtlsTransport {
  return transportOver(new LazySchannel(options), options);
}

/** {@linkcode schannelTransport} over an SChannel that others see too. */
export function transportOver(
  schannel: LazySchannel,
  options: HttpsTransportOptions,
): MtlsTransport {
  const settings = httpsSettings(options);
  return new HttpsTransport({
    name: "schannel",
    accepts: canUse,
    createAgents: async (credential, versions) =>
      credentialAgents(await schannel.source(credential, versions), settings.keepAliveTimeout),
    async close() {
      await schannel.close();
    },
  }, settings);
}
