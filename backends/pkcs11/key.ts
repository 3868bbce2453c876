/**
 * A key in a token.
 *
 * @module
 */

import { type Bytes, equalBytes } from "../../src/encoding.ts";
import { KeyboundError } from "../../src/errors.ts";
import type {
  KeyOptions,
  KeyStrength,
  SignatureScheme,
  SigningKey,
  SyncSigner,
} from "../../src/keys.ts";
import { raceSignal } from "../../src/single_flight.ts";
import type { Abilities } from "./abilities.ts";
import { CKR } from "./constants.ts";
import type { Handle } from "./cryptoki.ts";
import { findKeyObjects, type KeyPlace, publicKeysOf, strengthOf } from "./key_pairs.ts";
import type { KnownKeys, LivingPair } from "./known_keys.ts";
import type { Operation } from "../ffi/operation.ts";
import { classOf, ReturnCodeError, toKeyboundError } from "./return_codes.ts";
import type { SigningWay } from "./signing.ts";
import type { SessionFacts, Token, TokenSession } from "./token.ts";

/** A key in a token; it signs with and without a promise. */
export interface Pkcs11SigningKey extends SigningKey, SyncSigner {
  /** Its `pkcs11:` URI, without module and PIN: what {@linkcode pkcs11Key} takes. */
  readonly uri: string;
}

/** Which key it is, and where it is looked for. */
export interface Pkcs11KeyName {
  /** Name within its provider. */
  readonly id: string;
  /** Its URI, without module and PIN. */
  readonly uri: string;
  /** Where it is. */
  readonly token: Token;
  /** What is known of the token's keys. */
  readonly known: KnownKeys;
  /** Where it is found there. */
  readonly place: KeyPlace;
}

/** What a {@linkcode Pkcs11Key} is made of. */
export interface Pkcs11KeyParts extends Pkcs11KeyName {
  /** Whether it stays in the token. */
  readonly strength: KeyStrength;
  /** Its halves. */
  readonly pair: LivingPair;
  /** `version` of the session under which the handle was found. */
  readonly version: string;
}

/**
 * A private key in a token. It is looked for again whenever its handle may have changed; only when
 * the token answers that it isn't there any more it is `key_unusable`.
 */
export class Pkcs11Key implements Pkcs11SigningKey {
  readonly id: string;
  /** Its `pkcs11:` URI, without module and PIN. */
  readonly uri: string;
  readonly strength: KeyStrength;
  readonly spki: Bytes;
  readonly schemes: readonly SignatureScheme[];
  readonly #token: Token;
  readonly #known: KnownKeys;
  readonly #place: KeyPlace;
  readonly #abilities: Abilities;
  #handle: { readonly version: string; readonly privateKey: Handle };

  /** The key of a pair that was found. */
  constructor({ id, uri, token, known, place, strength, pair, version }: Pkcs11KeyParts) {
    this.id = id;
    this.uri = uri;
    this.strength = strength;
    this.spki = pair.spki;
    this.schemes = Object.freeze([...pair.abilities.keys()]);
    this.#token = token;
    this.#known = known;
    this.#place = place;
    this.#abilities = pair.abilities;
    this.#handle = { version, privateKey: pair.privateKey };
  }

  /** The key of a pair that was found in this session, under this version of it or a later one. */
  static async of(
    session: TokenSession,
    version: string,
    pair: LivingPair,
    parts: Pkcs11KeyName,
  ): Promise<Pkcs11Key> {
    const strength = await session.run(strengthOf(session, pair.privateKey));
    return new Pkcs11Key({ ...parts, strength, pair, version });
  }

  /** The key in this place; `undefined` where there is none. */
  static async find(session: TokenSession, parts: Pkcs11KeyName): Promise<Pkcs11Key | undefined> {
    const { version } = session;
    const pair = await parts.known.find(session, parts.place);
    return pair && await Pkcs11Key.of(session, version, pair, parts);
  }

  async sign(scheme: SignatureScheme, data: Bytes, options: KeyOptions = {}): Promise<Bytes> {
    options.signal?.throwIfAborted();
    const way = this.#way(scheme);
    const message = data.slice();
    const signing = this.#token.run((session) => this.#sign(session, way, message));
    try {
      const signature = await raceSignal(signing, options.signal);
      this.#token.signatures++;
      return signature;
    } catch (error) {
      throw this.#explain(error);
    }
  }

  /**
   * As {@linkcode SigningKey.sign}, at once; the event loop waits. Where the token was lost since
   * it was last used, it throws `key_provider_unavailable` and reaches it again in the background.
   */
  signSync(scheme: SignatureScheme, data: Bytes): Bytes {
    const { mechanism, input, output } = this.#way(scheme);
    const operation = function* (this: Pkcs11Key, session: SessionFacts): Operation<Bytes> {
      if (this.#handle.version !== session.version) yield* this.#locateNow(session);
      const { privateKey } = this.#handle;
      return yield* session.cryptoki.sign(session.session, mechanism, privateKey, input(data));
    };
    try {
      const signature = output(this.#token.runNow((session) => operation.call(this, session)));
      this.#token.signatures++;
      return signature;
    } catch (error) {
      throw this.#explain(error);
    }
  }

  async #sign(session: TokenSession, way: SigningWay, data: Bytes): Promise<Bytes> {
    const { cryptoki, run } = session;
    const attempt = async () => {
      const { mechanism, input, output } = way;
      const { privateKey } = this.#handle;
      return output(await run(cryptoki.sign(session.session, mechanism, privateKey, input(data))));
    };
    if (this.#handle.version !== session.version) await this.#locate(session);
    try {
      return await attempt();
    } catch (error) {
      // Another process may have destroyed it, or somebody logged out, which hides it.
      if (classOf(error) !== "key") throw error;
      await this.#locate(session);
      return await attempt();
    }
  }

  async #locate(session: TokenSession): Promise<void> {
    const { version } = session;
    const pair = await this.#known.find(session, this.#place, this.spki);
    if (pair === undefined) throw gone();
    this.#handle = { version, privateKey: pair.privateKey };
  }

  /** As {@linkcode #locate}, but of several private keys it can't tell which one it is. */
  *#locateNow(session: SessionFacts): Operation<void> {
    const { version } = session;
    const objects = yield* findKeyObjects(session, this.#place);
    const publicKeys = yield* publicKeysOf(session, objects);
    const [privateKey, ...others] = objects.privateKeys;
    const isThere = publicKeys.some((spki) => equalBytes(spki, this.spki));
    if (privateKey === undefined || !isThere) throw gone();
    if (others.length > 0) throw new ReturnCodeError("C_FindObjects", CKR.SESSION_CLOSED);
    this.#handle = { version, privateKey };
  }

  #way(scheme: SignatureScheme): SigningWay {
    const way = this.#abilities.get(scheme);
    if (way !== undefined) return way;
    throw new KeyboundError(
      "unsupported_scheme",
      `Key '${this.id}' signs ${this.schemes.join(", ")}; choose one of these.`,
    );
  }

  #explain(error: unknown): unknown {
    return toKeyboundError(error, `Key '${this.id}'`);
  }
}

function gone(): ReturnCodeError {
  return new ReturnCodeError("C_FindObjects", CKR.KEY_HANDLE_INVALID);
}
