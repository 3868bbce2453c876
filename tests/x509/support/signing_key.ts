/**
 * A software {@linkcode SigningKey} over WebCrypto, for tests alone.
 *
 * @module
 */

import type { Bytes } from "../../../src/encoding.ts";
import type { KeyOptions, SignatureScheme, SigningKey } from "../../../src/keys.ts";
import { ecdsaSignatureToDer } from "../../../src/x509/ecdsa.ts";
import { type NamedCurve, schemeParameters } from "../../../src/x509/signature_scheme.ts";

const RSA_SCHEMES: readonly SignatureScheme[] = [
  "rsa_pss_rsae_sha256",
  "rsa_pss_rsae_sha384",
  "rsa_pss_rsae_sha512",
  "rsa_pkcs1_sha256",
  "rsa_pkcs1_sha384",
  "rsa_pkcs1_sha512",
];

const EC_SCHEMES: Readonly<Record<NamedCurve, SignatureScheme>> = {
  "P-256": "ecdsa_secp256r1_sha256",
  "P-384": "ecdsa_secp384r1_sha384",
  "P-521": "ecdsa_secp521r1_sha512",
};

/** A new RSA-2048 key or key on a curve. */
export async function createSigningKey(kind: "RSA-2048" | NamedCurve): Promise<SigningKey> {
  const { subtle } = globalThis.crypto;
  const pair = kind === "RSA-2048"
    ? await subtle.generateKey(
      {
        name: "RSA-PSS",
        hash: "SHA-256",
        modulusLength: 2048,
        publicExponent: Uint8Array.of(1, 0, 1),
      },
      true,
      ["sign", "verify"],
    )
    : await subtle.generateKey({ name: "ECDSA", namedCurve: kind }, true, ["sign", "verify"]);
  const pkcs8 = await subtle.exportKey("pkcs8", pair.privateKey);
  return {
    id: `test-${kind}`,
    strength: "software",
    spki: new Uint8Array(await subtle.exportKey("spki", pair.publicKey)),
    schemes: kind === "RSA-2048" ? RSA_SCHEMES : [EC_SCHEMES[kind]],
    async sign(scheme: SignatureScheme, data: Bytes, options: KeyOptions = {}): Promise<Bytes> {
      options.signal?.throwIfAborted();
      const { curve, key, signature } = schemeParameters(scheme);
      const privateKey = await subtle.importKey("pkcs8", pkcs8, key, false, ["sign"]);
      const raw = new Uint8Array(await subtle.sign(signature, privateKey, data));
      return curve === undefined ? raw : ecdsaSignatureToDer(raw);
    },
  };
}
