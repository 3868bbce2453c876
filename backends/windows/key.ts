/**
 * A key in CNG.
 *
 * @module
 */

import type { Bytes } from "../../src/encoding.ts";
import { KeyboundError } from "../../src/errors.ts";
import type {
  InKeyContainer,
  KeyContainer,
  KeyOptions,
  KeyStrength,
  NativeHandle,
  SignatureScheme,
  SigningKey,
  SyncSigner,
} from "../../src/keys.ts";
import { raceSignal } from "../../src/single_flight.ts";
import type { Cng, OpenKey } from "./cng.ts";
import { type Operation, runElsewhere, runHere } from "../ffi/operation.ts";
import { toKeyboundError } from "./status.ts";

/** A key in CNG; it signs with and without a promise, and Windows itself can use it. */
export interface WindowsSigningKey extends SigningKey, SyncSigner, NativeHandle, InKeyContainer {}

/** What a {@linkcode CngKey} is made of. */
export interface CngKeyParts {
  /** Name within its provider. */
  readonly id: string;
  /** Where it lives. */
  readonly strength: KeyStrength;
  /** DER SubjectPublicKeyInfo. */
  readonly spki: Bytes;
  /** What it signs, best first. */
  readonly schemes: readonly SignatureScheme[];
  /** Its place in CNG. */
  readonly keyContainer: KeyContainer;
}

/**
 * A private key in CNG. It holds no handle: each signature opens the key by its name and looks
 * whether it is still the same one, so that a key that was replaced or died is noticed, and nothing
 * is left open.
 */
export class CngKey implements WindowsSigningKey {
  readonly id: string;
  readonly strength: KeyStrength;
  readonly spki: Bytes;
  readonly schemes: readonly SignatureScheme[];
  readonly keyContainer: KeyContainer;
  readonly #cng: Cng;

  /** The key of these parts. */
  constructor(cng: Cng, { id, strength, spki, schemes, keyContainer }: CngKeyParts) {
    this.#cng = cng;
    this.id = id;
    this.strength = strength;
    this.spki = spki;
    this.schemes = Object.freeze([...schemes]);
    this.keyContainer = Object.freeze({ ...keyContainer });
  }

  async sign(scheme: SignatureScheme, data: Bytes, options: KeyOptions = {}): Promise<Bytes> {
    options.signal?.throwIfAborted();
    this.#assertScheme(scheme);
    const signing = runElsewhere(this.#sign(scheme, data.slice()));
    try {
      return await raceSignal(signing, options.signal);
    } catch (error) {
      throw this.#explain(error);
    }
  }

  signSync(scheme: SignatureScheme, data: Bytes): Bytes {
    this.#assertScheme(scheme);
    try {
      return runHere(this.#sign(scheme, data));
    } catch (error) {
      throw this.#explain(error);
    }
  }

  async withHandle<T>(work: (handle: bigint) => Promise<T>): Promise<T> {
    let key: OpenKey;
    try {
      key = await runElsewhere(this.#open());
    } catch (error) {
      throw this.#explain(error);
    }
    try {
      return await work(key.handle);
    } finally {
      key.close();
    }
  }

  *#sign(scheme: SignatureScheme, data: Bytes): Operation<Bytes> {
    const key = yield* this.#open();
    try {
      return yield* this.#cng.sign(key.handle, scheme, data);
    } finally {
      key.close();
    }
  }

  /** The key of its name, if it still is this one. */
  *#open(): Operation<OpenKey> {
    const key = yield* this.#cng.open(this.keyContainer);
    try {
      yield* this.#cng.confirm(key.handle, this.spki);
      return key;
    } catch (error) {
      key.close();
      throw error;
    }
  }

  #assertScheme(scheme: SignatureScheme): void {
    if (this.schemes.includes(scheme)) return;
    throw new KeyboundError(
      "unsupported_scheme",
      `Key '${this.id}' signs ${this.schemes.join(", ")}; choose one of these.`,
    );
  }

  #explain(error: unknown): unknown {
    return toKeyboundError(error, `Key '${this.id}'`, this.strength);
  }
}
