/**
 * The keys of one strength: found and proved, made, removed.
 *
 * @module
 */

import { base64, type Bytes } from "../../src/encoding.ts";
import { KeyboundError } from "../../src/errors.ts";
import type { KeyAlgorithm, KeyContainer, SignatureScheme } from "../../src/keys.ts";
import { publicKeyAlgorithm } from "../../src/x509/public_key.ts";
import { verifySignature } from "../../src/x509/verify.ts";
import type { Cng, OpenKey } from "./cng.ts";
import { CngKey } from "./key.ts";
import { keyName } from "./names.ts";
import { type Operation, runElsewhere } from "../ffi/operation.ts";
import { classOf, provesDeath, toKeyboundError } from "./status.ts";
import { type CngAlgorithm, cngAlgorithm, possibleSchemes, type Tier } from "./tiers.ts";

/** What the liveness probe signs (protocol.md section 2.2). */
const PROBE = new Uint8Array(1);

/** What the keys of all tiers have in common. */
export interface TierContext {
  /** The keys of this machine. */
  readonly cng: Cng;
  /** Whether they are the machine's and not the user's. */
  readonly machine: boolean;
  /** What verifies their signatures. */
  readonly crypto: Crypto;
}

/** The keys of one strength. */
export class TierKeys {
  /** How they are made. */
  readonly tier: Tier;
  readonly #context: TierContext;
  /** What keys were seen to sign, by SPKI. */
  readonly #schemes = new Map<string, readonly SignatureScheme[]>();

  /** The keys of this tier. */
  constructor(tier: Tier, context: TierContext) {
    this.tier = tier;
    this.#context = context;
  }

  /**
   * The key with this id, proved by a signature; `undefined` where there is none, or only one
   * without the protection of this strength.
   *
   * Rejects with `key_unusable` for one that is there and doesn't sign, and a `StatusError` that
   * proves nothing.
   */
  async find(id: string): Promise<CngKey | undefined> {
    const keyContainer = this.#containerOf(id);
    try {
      const key = await runElsewhere(this.#inspect(keyContainer));
      return key.isProtected ? await this.#proved(id, keyContainer, key.spki) : undefined;
    } catch (error) {
      if (classOf(error) === "absent") return undefined;
      throw this.#explainDeath(error, id);
    }
  }

  /**
   * A new key with this id, proved by a signature. `beforeReplacing` may throw while the one that
   * was there before is still there.
   *
   * Rejects with `unsupported_key` for an algorithm that isn't known and a key without the protection
   * of this strength, `key_provider_unavailable` for a key that doesn't sign, and with a
   * `StatusError`.
   */
  async create(
    id: string,
    algorithm: KeyAlgorithm,
    beforeReplacing: () => void,
  ): Promise<CngKey> {
    const cng = cngAlgorithm(algorithm);
    if (cng === undefined) {
      throw new KeyboundError("unsupported_key", `CNG doesn't know '${algorithm}' keys here.`);
    }
    const keyContainer = this.#containerOf(id);
    const make = () => runElsewhere(this.#make(keyContainer, cng, beforeReplacing));
    // Once more where it isn't protected though it should be (protocol.md section 2.2).
    const spki = await make() ?? await make();
    if (spki === undefined) {
      await this.remove(id);
      throw new KeyboundError(
        "unsupported_key",
        `Windows made a '${this.tier.strength}' key without its protection. Check that VBS runs.`,
      );
    }
    try {
      return await this.#proved(id, keyContainer, spki);
    } catch (cause) {
      // Nothing is known of it yet where the status says "later".
      if (classOf(cause) !== undefined) throw cause;
      // Another process that made a key at the same time was the last: its key is as good.
      const other = await this.remove(id, spki) ? undefined : await this.find(id);
      if (other !== undefined) return other;
      throw new KeyboundError(
        "key_provider_unavailable",
        `Windows made a '${this.tier.strength}' key that doesn't sign. Use another kind of key.`,
        { cause },
      );
    }
  }

  /**
   * Destroys the key with this id, with `spki` only that one; says whether it was there. Rejects with
   * a `StatusError`.
   */
  async remove(id: string, spki?: Bytes): Promise<boolean> {
    try {
      await runElsewhere(this.#context.cng.remove(this.#containerOf(id), spki));
      return true;
    } catch (error) {
      if (classOf(error) !== "absent") throw error;
      return false;
    }
  }

  /** Makes a key that nobody uses and destroys it. Rejects with a `StatusError`. */
  async rehearse(): Promise<void> {
    const id = `probe ${this.#context.crypto.randomUUID()}`;
    // A TPM takes half a minute for an RSA key.
    const algorithm = this.tier.strength === "hardware" ? "P-256" : "RSA-2048";
    try {
      await this.create(id, algorithm, () => {});
    } catch (error) {
      // One that was made and couldn't be judged.
      await this.remove(id).catch(() => {});
      throw error;
    }
    await this.remove(id);
  }

  #containerOf(id: string): KeyContainer {
    const { strength, provider } = this.tier;
    const { machine } = this.#context;
    return { container: keyName(id, strength), provider, providerType: 0, keySpec: 0, machine };
  }

  *#inspect(place: KeyContainer): Operation<{ spki: Bytes; isProtected: boolean }> {
    const { cng } = this.#context;
    const key = yield* cng.open(place);
    try {
      const isProtected = yield* this.#isProtected(key);
      return { spki: yield* cng.publicKey(key.handle), isProtected };
    } finally {
      key.close();
    }
  }

  /** The public half of a new key; `undefined` where it lacks protection. */
  *#make(
    place: KeyContainer,
    algorithm: CngAlgorithm,
    beforeReplacing: () => void,
  ): Operation<Bytes | undefined> {
    const { cng } = this.#context;
    const key = yield* cng.create(place, this.tier, algorithm, beforeReplacing);
    try {
      if (!(yield* this.#isProtected(key))) return undefined;
      return yield* cng.publicKey(key.handle);
    } finally {
      key.close();
    }
  }

  *#isProtected({ handle }: OpenKey): Operation<boolean> {
    return this.tier.strength !== "keyguard" || (yield* this.#context.cng.isIsolated(handle));
  }

  async #proved(id: string, keyContainer: KeyContainer, spki: Bytes): Promise<CngKey> {
    const { strength } = this.tier;
    const algorithm = publicKeyAlgorithm(spki);
    const curve = algorithm.type === "ec" ? algorithm.curve : undefined;
    const name = base64(spki);
    const known = this.#schemes.get(name);
    const schemes = known ?? possibleSchemes(curve, strength);
    const parts = { id, strength, spki, keyContainer };
    const one = strength !== "hardware" || known !== undefined;
    const working = await this.#tryOut(
      new CngKey(this.#context.cng, { ...parts, schemes }),
      one ? schemes.slice(0, 1) : schemes,
    );
    this.#schemes.set(name, one ? schemes : working);
    return new CngKey(this.#context.cng, { ...parts, schemes: one ? schemes : working });
  }

  /** Those of the schemes in which the key signs; rejects with `key_unusable` where it is none. */
  async #tryOut(
    key: CngKey,
    schemes: readonly SignatureScheme[],
  ): Promise<readonly SignatureScheme[]> {
    const working: SignatureScheme[] = [];
    let cause: unknown;
    for (const scheme of schemes) {
      try {
        const signature = await key.sign(scheme, PROBE);
        const { crypto } = this.#context;
        if (await verifySignature(scheme, key.spki, PROBE, signature, crypto)) working.push(scheme);
      } catch (error) {
        const { cause: status } = error as Error;
        const meaning = classOf(status);
        if (meaning === "unreachable" || meaning === "denied") throw status;
        if (provesDeath(status, key.strength)) throw error;
        cause = error;
      }
    }
    if (working.length > 0) return working;
    throw new KeyboundError(
      "key_unusable",
      `Key '${key.id}' is there and gives no signature that verifies. Create a new one.`,
      { cause },
    );
  }

  /** A death is explained here; what proves nothing is left to who knows what else there is. */
  #explainDeath(error: unknown, id: string): unknown {
    const { strength } = this.tier;
    return provesDeath(error, strength) ? toKeyboundError(error, `Key '${id}'`, strength) : error;
  }
}
