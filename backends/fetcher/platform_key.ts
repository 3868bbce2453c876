/**
 * The stand-in for a private key that only the platform's TLS can use.
 *
 * @module
 */

import type { Bytes } from "../../src/encoding.ts";
import { KeyboundError } from "../../src/errors.ts";
import type { KeyStrength, SigningKey } from "../../src/keys.ts";
import { parseCertificate } from "../../src/x509/certificate.ts";

/** Options of {@linkcode platformKey}. */
export interface PlatformKeyOptions {
  /** DER of the certificate that the platform holds with its key. */
  certificate: Bytes;
  /**
   * Where the platform keeps the key. Nothing here can check it: it counts as `software` unless you
   * know better.
   * @default "software"
   */
  strength?: Exclude<KeyStrength, "keyguard">;
}

/**
 * The key of a certificate that the platform holds, to make a `ClientCredential` for
 * `fetcherTransport`.
 *
 * It signs nothing (`schemes` is empty, `sign` rejects with `unsupported_scheme`): no CSR, no client
 * assertion, no proof that it works. So it is for confidential clients that authenticate by the TLS
 * handshake itself (RFC 8705 section 2) and for calls to resources; a managed identity, whose
 * certificate is asked for with a CSR, can't use it.
 *
 * Throws `invalid_der` for a certificate that doesn't parse.
 */
export function platformKey(
  { certificate, strength = "software" }: PlatformKeyOptions,
): SigningKey {
  const { spki } = parseCertificate(certificate);
  return Object.freeze({
    id: "platform",
    strength,
    spki,
    schemes: [],
    sign: () =>
      Promise.reject(
        new KeyboundError(
          "unsupported_scheme",
          "The platform uses this key for TLS and for nothing else. Use a key that can sign.",
        ),
      ),
  });
}
