/**
 * Software keys through WebCrypto: any `Crypto`, any runtime, edge ones included.
 *
 * A software key protects tokens from whoever sees them in transit or in a log, not from code that
 * runs in the same process or, with a storage, as the same user.
 *
 * @module
 */

import type { KeyStorage } from "../../src/key_storage.ts";
import type { CreateKeyOptions, KeyOptions, KeyProvider, SigningKey } from "../../src/keys.ts";
import { raceSignal } from "../../src/single_flight.ts";
import { SoftwareKey } from "../../src/software_key/key.ts";
import {
  generateKeyMaterial,
  type KeyMaterial,
  readKeyMaterial,
} from "../../src/software_key/material.ts";

export type { KeyStorage };

/** Options of {@linkcode webcryptoKeys}. */
export interface WebCryptoKeysOptions {
  /** The implementation that makes the keys and signs. @default globalThis.crypto */
  crypto?: Crypto;
  /**
   * Where keys rest between runs; processes with the same storage share them.
   * @default none: keys live and die with the provider
   */
  storage?: KeyStorage;
}

/**
 * A provider of RSA-2048, RSA-3072 and P-256 keys of strength `software`. RSA keys sign PSS and
 * PKCS#1 v1.5 with SHA-256, SHA-384 and SHA-512, P-256 keys ECDSA with SHA-256. Every key can be
 * exported as PEM.
 *
 * Without a storage, a key that was removed or replaced signs no more: `key_unusable`. With one, a
 * key already handed out works on, and the change shows when it is opened again; a stored key
 * that can't be read as one makes `open` reject with `key_file_invalid` until it is replaced.
 *
 * Of concurrent `create` calls for one id the last to finish wins.
 *
 * @example
 * ```ts
 * const keys = webcryptoKeys();
 * const key = await keys.create("binding", { algorithm: "P-256" });
 * const signature = await key.sign("ecdsa_secp256r1_sha256", data);
 * ```
 *
 * @example Shared by the processes of a host
 * ```ts
 * const keys = webcryptoKeys({ storage: fileKeyStorage({ directory: "/var/lib/app/keys" }) });
 * ```
 */
export function webcryptoKeys(options: WebCryptoKeysOptions = {}): KeyProvider {
  const { crypto = globalThis.crypto, storage } = options;
  return storage === undefined ? new HeldKeys(crypto) : new StoredKeys(crypto, storage);
}

/** Keys that are nowhere but here. */
class HeldKeys implements KeyProvider {
  readonly name = "webcrypto";
  readonly strength = "software";
  readonly #crypto: Crypto;
  readonly #keys = new Map<string, SoftwareKey>();

  constructor(crypto: Crypto) {
    this.#crypto = crypto;
  }

  // deno-lint-ignore require-await
  async open(id: string, { signal }: KeyOptions = {}): Promise<SigningKey | undefined> {
    signal?.throwIfAborted();
    return this.#keys.get(id);
  }

  async create(id: string, options: CreateKeyOptions = {}): Promise<SigningKey> {
    const material = await generate(this.#crypto, options);
    const isHeld = (candidate: SoftwareKey) => this.#keys.get(id) === candidate;
    const key = new SoftwareKey({ id, ...material, crypto: this.#crypto, isHeld });
    this.#keys.set(id, key);
    return key;
  }

  // deno-lint-ignore require-await
  async remove(id: string, { signal }: KeyOptions = {}): Promise<void> {
    signal?.throwIfAborted();
    this.#keys.delete(id);
  }
}

/** Keys that rest in a storage. */
class StoredKeys implements KeyProvider {
  readonly name = "webcrypto";
  readonly strength = "software";
  readonly #crypto: Crypto;
  readonly #storage: KeyStorage;

  constructor(crypto: Crypto, storage: KeyStorage) {
    this.#crypto = crypto;
    this.#storage = storage;
  }

  async open(id: string, options: KeyOptions = {}): Promise<SigningKey | undefined> {
    options.signal?.throwIfAborted();
    const pkcs8 = await raceSignal(this.#storage.read(id, options), options.signal);
    if (pkcs8 === undefined) return undefined;
    const material = await raceSignal(readKeyMaterial(pkcs8, this.#crypto), options.signal);
    return new SoftwareKey({ id, ...material, crypto: this.#crypto });
  }

  async create(id: string, options: CreateKeyOptions = {}): Promise<SigningKey> {
    const material = await generate(this.#crypto, options);
    await this.#storage.write(id, material.pkcs8, options);
    return new SoftwareKey({ id, ...material, crypto: this.#crypto });
  }

  async remove(id: string, options: KeyOptions = {}): Promise<void> {
    options.signal?.throwIfAborted();
    await this.#storage.remove(id, options);
  }
}

/** New key material; an aborted wait leaves it to the garbage collector and stores nothing. */
async function generate(
  crypto: Crypto,
  { algorithm = "RSA-2048", signal }: CreateKeyOptions,
): Promise<KeyMaterial> {
  signal?.throwIfAborted();
  return await raceSignal(generateKeyMaterial(algorithm, crypto), signal);
}
