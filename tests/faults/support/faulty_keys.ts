/**
 * Keys of a provider that can fail as hardware does.
 *
 * @module
 */

import { base64, type Bytes } from "../../../src/encoding.ts";
import { KeyboundError } from "../../../src/errors.ts";
import {
  isPemExportable,
  type KeyProvider,
  type PemExportable,
  type SigningKey,
} from "../../../src/keys.ts";

/** What a device does: nothing to complain of, out of reach, or no answer. */
export type DeviceTrouble = "none" | "away" | "silent";

/** How a key is gone: it says so, or its signatures are wrong. */
export type KeyDeath = "unusable" | "lying";

/** The state of the device; the same for all who open its keys. */
export class KeyDevice {
  /** What it does. */
  trouble: DeviceTrouble = "none";
  readonly #dead = new Map<string, KeyDeath>();
  readonly #wait: (ms: number) => Promise<void>;

  /** A device in good order, on which a silence is waited for by `wait`. */
  constructor(wait: (ms: number) => Promise<void>) {
    this.#wait = wait;
  }

  /** From now on this key is dead, in memory as anywhere else. */
  kill({ spki }: SigningKey, death: KeyDeath): void {
    this.#dead.set(base64(spki), death);
  }

  /** How this key is dead, if it is. */
  death(spki: Bytes): KeyDeath | undefined {
    return this.#dead.get(base64(spki));
  }

  /** Resolves where the device answers. A silence lasts longer than any client waits. */
  async reach(): Promise<void> {
    if (this.trouble === "none") return;
    if (this.trouble === "away") {
      throw new KeyboundError("key_provider_unavailable", "The device was removed.");
    }
    await this.#wait(SILENCE);
    await new Promise(() => {});
  }
}

/** Longer than a probe waits for a signature, milliseconds. */
const SILENCE = 10_500;

/** The keys of `provider`, on this device. */
export function keysOn(device: KeyDevice, provider: KeyProvider): KeyProvider {
  return {
    name: provider.name,
    ...(provider.strength && { strength: provider.strength }),
    async open(id, options) {
      if (device.trouble === "away") await device.reach();
      const key = await provider.open(id, options);
      return key && keyOn(device, key);
    },
    async create(id, options) {
      if (device.trouble === "away") await device.reach();
      return keyOn(device, await provider.create(id, options));
    },
    remove: (id, options) => provider.remove(id, options),
  };
}

function keyOn(device: KeyDevice, key: SigningKey): SigningKey & PemExportable {
  if (!isPemExportable(key)) throw new TypeError("A software key is needed.");
  const { id, strength, spki, schemes } = key;
  return {
    id,
    strength,
    spki,
    schemes,
    async sign(scheme, data, options) {
      await device.reach();
      const death = device.death(spki);
      if (death === "unusable") throw unusable(id);
      const signature = await key.sign(scheme, data, options);
      if (death === "lying") signature[signature.length - 1]! ^= 1;
      return signature;
    },
    async exportPem() {
      if (device.trouble === "away") await device.reach();
      if (device.death(spki) === "unusable") throw unusable(id);
      return await key.exportPem();
    },
  };
}

function unusable(id: string): KeyboundError {
  return new KeyboundError("key_unusable", `Key '${id}' is gone.`);
}
