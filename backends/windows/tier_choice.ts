/**
 * Which kind of key this host makes: chosen once, at the first use.
 *
 * @module
 */

import { isKeyboundError, KeyboundError } from "../../src/errors.ts";
import { type KeyAlgorithm, type KeyStrength, meetsStrength } from "../../src/keys.ts";
import type { CngKey } from "./key.ts";
import { classOf, isTierMissing } from "./status.ts";
import type { TierKeys } from "./tier_keys.ts";
import { cngAlgorithm, strengthsFrom } from "./tiers.ts";

/** The kind of key that was chosen, and why. */
export interface WindowsKeyChoice {
  /** Where such keys live. */
  readonly strength: KeyStrength;
  /** One sentence for each stronger kind that this host doesn't make. */
  readonly reasons: readonly string[];
}

/**
 * The keys of several kinds as if they were of one: the strongest that this host makes. What fails
 * rejects with a `StatusError` where it proves nothing.
 */
export class TierChoice {
  readonly #tiers: ReadonlyMap<KeyStrength, TierKeys>;
  readonly #minStrength: KeyStrength;
  /** The weakest kind that will do: that of a key that died at least. */
  #floor: KeyStrength;
  #choice: WindowsKeyChoice | undefined;

  /** A choice among these kinds, strongest first, down to `minStrength`. */
  constructor(tiers: ReadonlyMap<KeyStrength, TierKeys>, minStrength: KeyStrength) {
    this.#tiers = tiers;
    this.#minStrength = minStrength;
    this.#floor = minStrength;
  }

  /** The kind that was chosen. */
  get strength(): KeyStrength | undefined {
    return this.#choice?.strength;
  }

  /** The key of the strongest kind; a weaker one only where no stronger one can be made. */
  async find(id: string): Promise<CngKey | undefined> {
    for (const [strength, keys] of this.#candidates()) {
      const key = await keys.find(id).catch((error) => {
        if (this.#choice === undefined && isTierMissing(error)) return undefined;
        if (isKeyboundError(error, "key_unusable")) this.#floor = strength;
        throw error;
      });
      if (key === undefined) continue;
      const isStrongest = strength === strengthsFrom(this.#floor)[0];
      const choice = isStrongest ? this.#decide(strength, []) : await this.choose();
      return choice.strength === strength ? key : undefined;
    }
    return undefined;
  }

  /** A new key of the strongest kind that this host makes. */
  async create(id: string, algorithm: KeyAlgorithm, beforeReplacing: () => void): Promise<CngKey> {
    const reasons: string[] = [];
    for (const [strength, keys] of this.#candidates()) {
      try {
        const key = await keys.create(id, algorithm, beforeReplacing);
        this.#decide(strength, reasons);
        return key;
      } catch (error) {
        if (this.#choice !== undefined && classOf(error) === "unsupported") {
          throw unsupported(algorithm, strength, error);
        }
        if (!this.#isMissing(error, algorithm)) throw error;
        // Is it the kind of key that it can't do, or the algorithm?
        if (algorithm !== "RSA-2048" && await this.#works(keys, reasons)) {
          this.#decide(strength, reasons);
          throw unsupported(algorithm, strength, error);
        }
        if (algorithm === "RSA-2048") reasons.push(reasonOf(strength, error));
      }
    }
    throw this.#notStrongEnough(reasons);
  }

  /** The kind of key that this host makes; makes and destroys one to find out. */
  async choose(): Promise<WindowsKeyChoice> {
    const reasons: string[] = [];
    for (const [strength, keys] of this.#candidates()) {
      if (this.#choice !== undefined) return this.#choice;
      if (await this.#works(keys, reasons)) return this.#decide(strength, reasons);
    }
    throw this.#notStrongEnough(reasons);
  }

  /** Whether this host makes keys of this kind; adds the reason where it doesn't. */
  async #works(keys: TierKeys, reasons: string[]): Promise<boolean> {
    try {
      await keys.rehearse();
      return true;
    } catch (error) {
      if (!this.#isMissing(error, "RSA-2048")) throw error;
      reasons.push(reasonOf(keys.tier.strength, error));
      return false;
    }
  }

  #isMissing(error: unknown, algorithm: KeyAlgorithm): boolean {
    if (this.#choice !== undefined) return false;
    const isUnprotected = isKeyboundError(error, "unsupported_key");
    return isTierMissing(error) || (isUnprotected && cngAlgorithm(algorithm) !== undefined);
  }

  #decide(strength: KeyStrength, reasons: readonly string[]): WindowsKeyChoice {
    return this.#choice ??= Object.freeze({ strength, reasons: Object.freeze([...reasons]) });
  }

  /** Removes the keys of every kind with this id. */
  async remove(id: string): Promise<void> {
    for (const [strength, keys] of this.#tiers) {
      await keys.remove(id).catch((error) => {
        if (!isTierMissing(error) || strength === this.strength) throw error;
      });
    }
  }

  #notStrongEnough(reasons: readonly string[]): KeyboundError {
    const floor = this.#floor;
    const resort = floor === this.#minStrength
      ? "lower 'minStrength'"
      : `remove the '${floor}' key that died and start anew: no weaker one takes its place unasked`;
    return new KeyboundError(
      meetsStrength("software", floor) ? "key_provider_unavailable" : "min_strength_not_met",
      `No key that is at least '${floor}' can be made. ${reasons.join(" ")} ` +
        `Turn on VBS (Trusted Launch) or the TPM, or ${resort}.`,
    );
  }

  /** The kind that was chosen, or all that come into question, strongest first. */
  #candidates(): ReadonlyMap<KeyStrength, TierKeys> {
    const strengths = this.#choice ? [this.#choice.strength] : strengthsFrom(this.#floor);
    return new Map(strengths.map((strength) => [strength, this.#tiers.get(strength)!]));
  }
}

function reasonOf(strength: KeyStrength, error: unknown): string {
  return `No '${strength}' keys on this host: ${(error as Error).message}`;
}

function unsupported(algorithm: string, strength: KeyStrength, cause: unknown): KeyboundError {
  return new KeyboundError(
    "unsupported_key",
    `This host makes no '${algorithm}' keys that are '${strength}'. Use another algorithm.`,
    { cause },
  );
}
