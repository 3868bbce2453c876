/**
 * Keys in an HSM or TPM through its PKCS#11 module.
 *
 * @module
 */

import { KeyboundError } from "../../src/errors.ts";
import type {
  CreateKeyOptions,
  KeyAlgorithm,
  KeyOptions,
  KeyProvider,
  KeyStrength,
} from "../../src/keys.ts";
import { raceSignal } from "../../src/single_flight.ts";
import type { KeyPairHandles } from "./cryptoki.ts";
import { Pkcs11Key, type Pkcs11KeyName, type Pkcs11SigningKey } from "./key.ts";
import { KnownKeys } from "./known_keys.ts";
import { keyUri, listKeys, type Pkcs11KeyInfo } from "./key_list.ts";
import {
  destroyKeys,
  findKeyObjects,
  generateKeyPair,
  keyLabel,
  type KeyObjects,
  keyPlace,
  publicKeysOf,
} from "./key_pairs.ts";
import type { Pkcs11Options } from "./options.ts";
import { classOf, toKeyboundError } from "./return_codes.ts";
import { Token, type TokenSession } from "./token.ts";

/** A provider whose sessions are to be closed. */
export interface Pkcs11KeyProvider extends KeyProvider {
  /** As the port has it; the key says its URI, and signs without a promise too. */
  open(id: string, options?: KeyOptions): Promise<Pkcs11SigningKey | undefined>;
  /** As the port has it; the key says its URI, and signs without a promise too. */
  create(id: string, options?: CreateKeyOptions): Promise<Pkcs11SigningKey>;
  /** Signatures that its keys have made in this process. */
  readonly signatures: number;
  /** All private keys of the token, those made by others included. */
  list(options?: KeyOptions): Promise<Pkcs11KeyInfo[]>;
  /** Closes the sessions, waiting for what is under way; the last user of the module ends it. */
  close(): Promise<void>;
}

/**
 * A provider of RSA-2048, RSA-3072 and P-256 keys that are made in a token and never leave it
 * (`CKA_SENSITIVE`, not `CKA_EXTRACTABLE`): strength `hardware`.
 *
 * A key's `CKA_ID` is the first 20 bytes of the SHA-256 of its id in JSON, its `CKA_LABEL` the
 * beginning of the id. When a key is replaced, the new one is made before the old one goes.
 *
 * Nothing is loaded before the first use. All providers of a process share the module, its
 * `C_Initialize` and the token's login, as PKCS#11 has it. Keys are usable by all code of the
 * process once one has logged in. A process that was forked makes new providers.
 *
 * Rejects with `missing_dependency` where koffi isn't installed, `key_provider_unavailable` where
 * module, token or PIN fail. A PIN that was refused is never tried again, and the last try before
 * a token locks is never spent.
 *
 * Deno asks for `--allow-ffi`, `--allow-read` and `--allow-env`.
 *
 * @example
 * ```ts
 * const keys = pkcs11Keys({
 *   uri: "pkcs11:token=app?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=/etc/app/pin",
 * });
 * const key = await keys.create("binding");
 * ```
 */
export function pkcs11Keys(options: Pkcs11Options): Pkcs11KeyProvider {
  return new TokenKeys(new Token(options));
}

class TokenKeys implements Pkcs11KeyProvider {
  readonly name = "pkcs11";
  readonly strength: KeyStrength = "hardware";
  readonly #token: Token;
  readonly #known: KnownKeys;
  /** Keys that are being made or removed: one at a time a name, or they would undo one another. */
  readonly #changes = new Map<string, Promise<unknown>>();

  constructor(token: Token) {
    this.#token = token;
    this.#known = new KnownKeys();
  }

  async open(id: string, { signal }: KeyOptions = {}): Promise<Pkcs11Key | undefined> {
    return await this.#attempt(() => this.#token.run((session) => this.#find(session, id)), signal);
  }

  async create(id: string, options: CreateKeyOptions = {}): Promise<Pkcs11Key> {
    const { algorithm = "RSA-2048", signal } = options;
    const create = async (session: TokenSession) => {
      const old = await session.run(findKeyObjects(session, keyPlace(id)));
      const { publicKey, privateKey } = await this.#generate(session, id, algorithm);
      const made = { privateKeys: [privateKey], publicKeys: [publicKey], certificates: [] };
      let key: Pkcs11Key;
      try {
        key = await this.#prove(session, id, made);
        signal?.throwIfAborted();
      } catch (error) {
        // It is of no use, or nobody waits for it any more: what was there stays.
        await session.run(destroyKeys(session, made)).catch(() => {});
        throw error;
      }
      await session.run(destroyKeys(session, old));
      return key;
    };
    return await this.#attempt(
      () => this.#inTurn(id, () => this.#token.run(create, { writable: true })),
      signal,
    );
  }

  async remove(id: string, { signal }: KeyOptions = {}): Promise<void> {
    const remove = async (session: TokenSession) => {
      const objects = await session.run(findKeyObjects(session, keyPlace(id)));
      await session.run(destroyKeys(session, objects));
    };
    await this.#attempt(
      () => this.#inTurn(id, () => this.#token.run(remove, { writable: true })),
      signal,
    );
  }

  get signatures(): number {
    return this.#token.signatures;
  }

  async list({ signal }: KeyOptions = {}): Promise<Pkcs11KeyInfo[]> {
    return await this.#attempt(() => this.#token.run(listKeys), signal);
  }

  close(): Promise<void> {
    return this.#token.close();
  }

  #find(session: TokenSession, id: string): Promise<Pkcs11Key | undefined> {
    return Pkcs11Key.find(session, this.#nameOf(session, id));
  }

  /** The key of a pair that was just made; rejects with `unsupported_key` where it's no good. */
  async #prove(session: TokenSession, id: string, made: KeyObjects): Promise<Pkcs11Key> {
    const { version } = session;
    const [privateKey] = made.privateKeys;
    const [spki] = await session.run(publicKeysOf(session, made));
    const pair = privateKey !== undefined && spki !== undefined
      ? await this.#known.prove(session, privateKey, spki)
      : undefined;
    const key = pair && await Pkcs11Key.of(session, version, pair, this.#nameOf(session, id));
    if (key?.strength === "hardware") return key;
    throw new KeyboundError(
      "unsupported_key",
      key === undefined
        ? `${this.#token.subject} made a key that doesn't sign. Use another algorithm or token.`
        : `${this.#token.subject} makes keys that can leave it. Use another token.`,
    );
  }

  #nameOf({ info: { label } }: TokenSession, id: string): Pkcs11KeyName {
    const place = keyPlace(id);
    const uri = keyUri(label, { ...place, label: keyLabel(id) });
    return { id, uri, token: this.#token, known: this.#known, place };
  }

  async #generate(
    session: TokenSession,
    id: string,
    algorithm: KeyAlgorithm,
  ): Promise<KeyPairHandles> {
    try {
      return await session.run(generateKeyPair(session, id, algorithm));
    } catch (cause) {
      if (classOf(cause) !== "unsupported") throw cause;
      throw new KeyboundError(
        "unsupported_key",
        `${this.#token.subject} can't make '${algorithm}' keys. Use another algorithm or token.`,
        { cause },
      );
    }
  }

  async #inTurn<T>(id: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#changes.get(id) ?? Promise.resolve()).then(work, work);
    this.#changes.set(id, turn);
    try {
      return await turn;
    } finally {
      if (this.#changes.get(id) === turn) this.#changes.delete(id);
    }
  }

  async #attempt<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    signal?.throwIfAborted();
    try {
      return await raceSignal(work(), signal);
    } catch (error) {
      signal?.throwIfAborted();
      throw toKeyboundError(error, this.#token.subject);
    }
  }
}
