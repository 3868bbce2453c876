/**
 * Keys of Windows (CNG): the strongest kind that this host makes.
 *
 * @module
 */

import { base64, type Bytes } from "../../src/encoding.ts";
import {
  type CreateKeyOptions,
  type KeyContainer,
  type KeyOptions,
  type KeyProvider,
  type KeyStrength,
} from "../../src/keys.ts";
import { raceSignal } from "../../src/single_flight.ts";
import { Cng } from "./cng.ts";
import type { CngKey, WindowsSigningKey } from "./key.ts";
import { purgeCertificates } from "./purge.ts";
import { toKeyboundError } from "./status.ts";
import { type WindowsSystem, windowsSystem } from "./system.ts";
import { TierChoice, type WindowsKeyChoice } from "./tier_choice.ts";
import { TierKeys } from "./tier_keys.ts";
import { strengthsFrom, TIERS } from "./tiers.ts";

/** Options of {@linkcode windowsKeys}. */
export interface WindowsKeysOptions {
  /** The weakest kind of key that will do. @default "software" */
  minStrength?: KeyStrength;
  /** Whose keys and certificates: the user's or the machine's. @default "user" */
  scope?: "machine" | "user";
  /** Verifies the signatures that prove keys. @default globalThis.crypto */
  crypto?: Crypto;
  /**
   * Windows itself, or what stands in for it in a test. @default the system of this process
   *
   * @internal
   */
  system?: () => Promise<WindowsSystem>;
}

/** A provider of keys in CNG. */
export interface WindowsKeyProvider extends KeyProvider {
  /** As the port has it; the key can be handed over, too. */
  open(id: string, options?: KeyOptions): Promise<WindowsSigningKey | undefined>;
  /** As the port has it; the key can be handed over, too. */
  create(id: string, options?: CreateKeyOptions): Promise<WindowsSigningKey>;
  /** The kind of key that this host makes; may make and destroy one to find out. */
  choice(options?: KeyOptions): Promise<WindowsKeyChoice>;
  /** Where the key with this public half is, if this provider has opened or made it. */
  containerOf(spki: Bytes): KeyContainer | undefined;
}

/**
 * A provider of RSA-2048, RSA-3072 and P-256 keys in CNG, none of which can be exported:
 *
 * 1. `keyguard`: isolated by VBS, for this boot of the machine (Trusted Launch, Credential Guard);
 * 2. `hardware`: in the TPM, through the Platform Crypto Provider;
 * 3. `software`: in the Software Key Storage Provider.
 *
 * The first kind that this host makes is chosen at the first use and kept: no key of another kind
 * ever takes the place of one that died. A TPM that isn't ready at the first use counts as none;
 * who wants never less than a kind says so in `minStrength`, and gets `min_strength_not_met`.
 *
 * A key that is opened has signed (protocol.md section 2.2). When it is replaced, the managed
 * identity certificates over it go with it (section 2.3). The key with the id `KeyGuardRSAKey` is the
 * one that .NET's library uses: it is shared with its processes.
 *
 * Rejects with `key_provider_unavailable` on other systems, `missing_dependency` without koffi.
 *
 * @example
 * ```ts
 * const keys = windowsKeys({ minStrength: "keyguard" });
 * const store = windowsStore({ keys });
 * ```
 */
export function windowsKeys(options: WindowsKeysOptions = {}): WindowsKeyProvider {
  return new CngKeys(options);
}

class CngKeys implements WindowsKeyProvider {
  readonly name = "windows";
  strength?: KeyStrength;
  readonly #options: WindowsKeysOptions;
  readonly #minStrength: KeyStrength;
  readonly #containers = new Map<string, KeyContainer>();
  /** Keys that are being made or removed: one at a time, for the sake of the choice. */
  #changes: Promise<unknown> = Promise.resolve();
  #choice: Promise<TierChoice> | undefined;

  constructor(options: WindowsKeysOptions) {
    this.#options = options;
    this.#minStrength = options.minStrength ?? "software";
    if (this.#minStrength === "keyguard") this.strength = "keyguard";
  }

  async open(id: string, { signal }: KeyOptions = {}): Promise<CngKey | undefined> {
    return await this.#attempt(id, signal, async () => {
      const key = await (await this.#loaded()).find(id);
      return key === undefined ? undefined : this.#known(key);
    });
  }

  async create(id: string, options: CreateKeyOptions = {}): Promise<CngKey> {
    const { algorithm = "RSA-2048", signal } = options;
    return await this.#attempt(id, signal, () =>
      this.#inTurn(async () => {
        const choice = await this.#loaded();
        const key = await choice.create(id, algorithm, () => signal?.throwIfAborted());
        const { scope = "user", system = windowsSystem } = this.#options;
        purgeCertificates(await system(), scope, key);
        return this.#known(key);
      }));
  }

  async remove(id: string, { signal }: KeyOptions = {}): Promise<void> {
    await this.#attempt(id, signal, () =>
      this.#inTurn(async () => {
        await (await this.#loaded()).remove(id);
      }));
  }

  async choice({ signal }: KeyOptions = {}): Promise<WindowsKeyChoice> {
    return await this.#attempt(
      "probe",
      signal,
      () => this.#inTurn(async () => await (await this.#loaded()).choose()),
    );
  }

  containerOf(spki: Bytes): KeyContainer | undefined {
    return this.#containers.get(base64(spki));
  }

  #known(key: CngKey): CngKey {
    this.#containers.set(base64(key.spki), key.keyContainer);
    return key;
  }

  #loaded(): Promise<TierChoice> {
    this.#choice ??= this.#load().catch((error) => {
      this.#choice = undefined;
      throw error;
    });
    return this.#choice;
  }

  async #load(): Promise<TierChoice> {
    const { system = windowsSystem, scope, crypto = globalThis.crypto } = this.#options;
    const context = { cng: new Cng(await system()), machine: scope === "machine", crypto };
    const strengths = strengthsFrom(this.#minStrength);
    const tiers = new Map(strengths.map((name) => [name, new TierKeys(TIERS[name], context)]));
    return new TierChoice(tiers, this.#minStrength);
  }

  /** Tells of the choice as soon as it was made, also by what failed in the end. */
  async #observed<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } finally {
      const strength = (await this.#choice?.catch(() => undefined))?.strength;
      if (strength !== undefined) this.strength = strength;
    }
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#changes.then(work, work);
    this.#changes = turn;
    return await turn;
  }

  async #attempt<T>(
    id: string,
    signal: AbortSignal | undefined,
    work: () => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    try {
      return await raceSignal(this.#observed(work), signal);
    } catch (error) {
      signal?.throwIfAborted();
      // A failure that proves nothing: a death has been explained already.
      throw toKeyboundError(error, `Key '${id}'`, "software");
    }
  }
}
