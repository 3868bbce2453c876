/**
 * A key in Azure Key Vault that signs there.
 *
 * @module
 */

import * as v from "valibot";
import { base64url, type Bytes, fromBase64url } from "../../src/encoding.ts";
import { KeyboundError } from "../../src/errors.ts";
import type { KeyOptions, KeyStrength, SignatureScheme, SigningKey } from "../../src/keys.ts";
import { fields, text } from "../../src/parse.ts";
import type { BindingWish } from "../../src/token/result.ts";
import { ecdsaSignatureToDer } from "../../src/x509/ecdsa.ts";
import { publicKeyAlgorithm } from "../../src/x509/public_key.ts";
import { schemeParameters } from "../../src/x509/signature_scheme.ts";
import type { VaultOptions } from "./options.ts";
import { type Vault, vaultOf } from "./vault.ts";

/** Options of {@linkcode keyVaultKey}. */
export type KeyVaultKeyOptions<Wish extends BindingWish = "mtls_pop"> = VaultOptions<Wish>;

/** The vault's names of the schemes (RFC 7518 section 3.1). */
const ALGORITHMS: Readonly<Record<SignatureScheme, string>> = {
  rsa_pss_rsae_sha256: "PS256",
  rsa_pss_rsae_sha384: "PS384",
  rsa_pss_rsae_sha512: "PS512",
  rsa_pkcs1_sha256: "RS256",
  rsa_pkcs1_sha384: "RS384",
  rsa_pkcs1_sha512: "RS512",
  ecdsa_secp256r1_sha256: "ES256",
  ecdsa_secp384r1_sha384: "ES384",
  ecdsa_secp521r1_sha512: "ES512",
};

const SCHEMES = Object.keys(ALGORITHMS) as SignatureScheme[];

const Number64 = text(/^[A-Za-z0-9_-]{1,1024}$/);
const Kid = text(/^https:\/\/[^/]{1,255}\/keys\/[0-9A-Za-z-]{1,127}\/[0-9A-Za-z]{1,64}$/);
const RsaKey = fields({
  kid: Kid,
  kty: v.picklist(["RSA", "RSA-HSM"]),
  n: Number64,
  e: Number64,
});
const EcKey = fields({
  kid: Kid,
  kty: v.picklist(["EC", "EC-HSM"]),
  crv: v.picklist(["P-256", "P-384", "P-521"]),
  x: Number64,
  y: Number64,
});
const Bundle = fields({ key: v.union([RsaKey, EcKey]) });
const Signature = fields({ value: text(/^[A-Za-z0-9_-]{1,2048}$/) });

/**
 * The key of this name in the vault, in the version that is the latest now if none is given. It
 * signs by a request to the vault each time; TLS with it takes `opensslTransport` of
 * `keybound/openssl`, whose worker waits for the answer.
 *
 * Its strength is `hardware` where the vault says that an HSM holds it (`RSA-HSM`, `EC-HSM`).
 *
 * Rejects with `key_unusable` where the vault says that there is no such key; with
 * `key_provider_unavailable`, retryable or not, for any other trouble, a missing permission and
 * throttling included; `unsupported_key`, `invalid_argument`, and the signal's reason. Its `sign`
 * rejects alike, and with `unsupported_scheme`.
 *
 * @example
 * ```ts
 * const key = await keyVaultKey({ vaultUrl, name: "client-key", identity });
 * const credential = await certificateCredential(await readFile("client.crt", "utf8"), key);
 * const client = confidentialClient({ ...host, transports: [opensslTransport()], credential, ... });
 * ```
 */
export async function keyVaultKey<Wish extends BindingWish = "mtls_pop">(
  options: KeyVaultKeyOptions<Wish>,
  { signal }: KeyOptions = {},
): Promise<SigningKey> {
  const vault = vaultOf(options);
  signal?.throwIfAborted();
  const path = options.version === undefined ? "" : `/${options.version}`;
  const { key } = await vault.ask(Bundle, {
    kind: "keys",
    permission: "Key Vault Crypto User",
    path,
    signal,
  });
  const version = key.kid.slice(key.kid.lastIndexOf("/") + 1);
  const spki = await spkiOf(key, vault.crypto);
  return new VaultSigningKey(vault, version, spki, key.kty.endsWith("-HSM"));
}

async function spkiOf(key: v.InferOutput<typeof Bundle>["key"], crypto: Crypto): Promise<Bytes> {
  const [jwk, scheme] = v.is(RsaKey, key) ? rsaKey(key) : ecKey(key);
  try {
    const { key: algorithm } = schemeParameters(scheme);
    const imported = await crypto.subtle.importKey("jwk", jwk, algorithm, true, ["verify"]);
    return new Uint8Array(await crypto.subtle.exportKey("spki", imported));
  } catch (cause) {
    throw new KeyboundError(
      "unsupported_key",
      "This runtime doesn't take the vault's public key. Use RSA, or EC on P-256.",
      { cause },
    );
  }
}

/** A public key as WebCrypto reads it, and a scheme of it. */
type Importable = readonly [jwk: JsonWebKey, scheme: SignatureScheme];

function rsaKey({ n, e }: v.InferOutput<typeof RsaKey>): Importable {
  return [{ kty: "RSA", n, e }, "rsa_pkcs1_sha256"];
}

function ecKey({ crv, x, y }: v.InferOutput<typeof EcKey>): Importable {
  const scheme = SCHEMES.find((candidate) => schemeParameters(candidate).curve === crv)!;
  return [{ kty: "EC", crv, x, y }, scheme];
}

class VaultSigningKey implements SigningKey {
  readonly id: string;
  readonly strength: KeyStrength;
  readonly spki: Bytes;
  readonly schemes: readonly SignatureScheme[];
  readonly #vault: Vault;
  readonly #version: string;
  /** Bytes of a signature as the vault gives it. */
  readonly #size: number;

  constructor(vault: Vault, version: string, spki: Bytes, isInHsm: boolean) {
    const algorithm = publicKeyAlgorithm(spki);
    this.id = `${vault.name}/${version}`;
    this.strength = isInHsm ? "hardware" : "software";
    this.spki = spki;
    this.schemes = Object.freeze(SCHEMES.filter((scheme) => {
      const { curve } = schemeParameters(scheme);
      return algorithm.type === "ec" ? curve === algorithm.curve : curve === undefined;
    }));
    this.#vault = vault;
    this.#version = version;
    this.#size = algorithm.type === "rsa"
      ? Math.ceil(algorithm.modulusBits / 8)
      : 2 * schemeParameters(this.schemes[0]!).coordinate!;
    Object.freeze(this);
  }

  async sign(scheme: SignatureScheme, data: Bytes, options: KeyOptions = {}): Promise<Bytes> {
    const { signal } = options;
    signal?.throwIfAborted();
    if (!this.schemes.includes(scheme)) {
      throw new KeyboundError(
        "unsupported_scheme",
        `Key '${this.id}' signs ${this.schemes.join(", ")}; choose one of these.`,
      );
    }
    const { crypto, ask } = this.#vault;
    const digest = await crypto.subtle.digest(`SHA-${scheme.slice(-3)}`, data);
    const { value } = await ask(Signature, {
      kind: "keys",
      permission: "Key Vault Crypto User",
      path: `/${this.#version}/sign`,
      body: { alg: ALGORITHMS[scheme], value: base64url(new Uint8Array(digest)) },
      signal,
    });
    const signature = this.#decoded(value);
    return schemeParameters(scheme).curve === undefined
      ? signature
      : ecdsaSignatureToDer(signature);
  }

  #decoded(value: string): Bytes {
    try {
      const signature = fromBase64url(value);
      if (signature.length === this.#size) return signature;
    } catch {
      // Said below.
    }
    throw new KeyboundError(
      "key_provider_unavailable",
      "Key Vault's answer is no signature of this key. Try again.",
      { retryable: true, source: "KeyVault" },
    );
  }
}
