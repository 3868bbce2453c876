/**
 * A client certificate together with the key that proves it.
 *
 * @module
 */

import type { Bytes } from "./encoding.ts";
import { equalBytes } from "./encoding.ts";
import { KeyboundError } from "./errors.ts";
import type { SigningKey } from "./keys.ts";
import { type Certificate, parseCertificate } from "./x509/certificate.ts";
import { thumbprintS256 } from "./x509/thumbprint.ts";

/** What a TLS client presents: a certificate chain and the key of its leaf. Immutable. */
export class ClientCredential {
  /** DER certificates, leaf first. */
  readonly chain: readonly Bytes[];
  /** The leaf's fields. */
  readonly leaf: Certificate;
  /** The private key of the leaf. */
  readonly key: SigningKey;
  /** `x5t#S256` of the leaf: base64url SHA-256 of its DER (RFC 8705 section 3.1). */
  readonly thumbprint: string;

  private constructor(
    chain: readonly Bytes[],
    leaf: Certificate,
    key: SigningKey,
    thumbprint: string,
  ) {
    this.chain = Object.freeze([...chain]);
    this.leaf = leaf;
    this.key = key;
    this.thumbprint = thumbprint;
    Object.freeze(this);
  }

  /**
   * Puts certificate and key together.
   *
   * Rejects with `invalid_der` for an empty chain or a leaf that doesn't parse,
   * `certificate_key_mismatch` when the leaf's public key isn't the key's.
   */
  static async create(
    chain: readonly Bytes[],
    key: SigningKey,
    crypto: Crypto = globalThis.crypto,
  ): Promise<ClientCredential> {
    const [first = new Uint8Array()] = chain;
    const leaf = parseCertificate(first);
    if (!equalBytes(leaf.spki, key.spki)) {
      throw new KeyboundError(
        "certificate_key_mismatch",
        `The certificate was not issued for key '${key.id}'.`,
      );
    }
    return new ClientCredential(chain, leaf, key, await thumbprintS256(first, crypto));
  }
}
