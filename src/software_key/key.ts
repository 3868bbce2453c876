/**
 * A private key in process memory that signs through WebCrypto.
 *
 * @module
 */

import type { Bytes } from "../encoding.ts";
import { KeyboundError } from "../errors.ts";
import type {
  KeyOptions,
  KeyStrength,
  PemExportable,
  SignatureScheme,
  SigningKey,
} from "../keys.ts";
import { raceSignal } from "../single_flight.ts";
import { ecdsaSignatureToDer } from "../x509/ecdsa.ts";
import { encodePem } from "../x509/pem.ts";
import { schemeParameters } from "../x509/signature_scheme.ts";

/** What a {@linkcode SoftwareKey} is made of. */
export interface SoftwareKeyParts {
  /** Name within its provider. */
  readonly id: string;
  /** The private key, DER PKCS#8. */
  readonly pkcs8: Bytes;
  /** The public key, DER SubjectPublicKeyInfo. */
  readonly spki: Bytes;
  /** What it can sign, best first. */
  readonly schemes: readonly SignatureScheme[];
  /** The implementation that signs; its CryptoKeys are of no use to any other. */
  readonly crypto: Crypto;
  /** Whether the provider still has the key. @default always */
  readonly isHeld?: (key: SoftwareKey) => boolean;
}

/** A private key in process memory: no boundary keeps it from code in the same process. */
export class SoftwareKey implements SigningKey, PemExportable {
  readonly id: string;
  readonly strength: KeyStrength = "software";
  readonly spki: Bytes;
  readonly schemes: readonly SignatureScheme[];
  readonly #pkcs8: Bytes;
  readonly #crypto: Crypto;
  readonly #isHeld: (key: SoftwareKey) => boolean;
  /** WebCrypto binds padding and digest to a CryptoKey, so one key pair needs one a scheme. */
  readonly #imported = new Map<SignatureScheme, Promise<CryptoKey>>();

  constructor({ id, pkcs8, spki, schemes, crypto, isHeld = () => true }: SoftwareKeyParts) {
    this.id = id;
    this.spki = spki;
    this.schemes = Object.freeze([...schemes]);
    this.#pkcs8 = pkcs8;
    this.#crypto = crypto;
    this.#isHeld = isHeld;
    Object.freeze(this);
  }

  async sign(scheme: SignatureScheme, data: Bytes, options: KeyOptions = {}): Promise<Bytes> {
    options.signal?.throwIfAborted();
    if (!this.schemes.includes(scheme)) {
      throw new KeyboundError(
        "unsupported_scheme",
        `Key '${this.id}' signs ${this.schemes.join(", ")}; choose one of these.`,
      );
    }
    this.#assertHeld();
    return await raceSignal(this.#sign(scheme, data), options.signal);
  }

  // deno-lint-ignore require-await
  async exportPem(): Promise<string> {
    this.#assertHeld();
    return encodePem("PRIVATE KEY", this.#pkcs8);
  }

  async #sign(scheme: SignatureScheme, data: Bytes): Promise<Bytes> {
    const { signature, curve } = schemeParameters(scheme);
    try {
      const key = await this.#import(scheme);
      const raw = new Uint8Array(await this.#crypto.subtle.sign(signature, key, data));
      return curve === undefined ? raw : ecdsaSignatureToDer(raw);
    } catch (cause) {
      throw unusable(this.id, "WebCrypto refuses to sign with it", cause);
    }
  }

  #import(scheme: SignatureScheme): Promise<CryptoKey> {
    let imported = this.#imported.get(scheme);
    if (imported === undefined) {
      const { key } = schemeParameters(scheme);
      imported = this.#crypto.subtle.importKey("pkcs8", this.#pkcs8, key, false, ["sign"]);
      this.#imported.set(scheme, imported);
    }
    return imported;
  }

  #assertHeld(): void {
    if (!this.#isHeld(this)) {
      throw unusable(this.id, "its provider has removed or replaced it");
    }
  }
}

function unusable(id: string, reason: string, cause?: unknown): KeyboundError {
  return new KeyboundError(
    "key_unusable",
    `Key '${id}' is of no more use: ${reason}. Open it again or create a new one.`,
    { cause },
  );
}
