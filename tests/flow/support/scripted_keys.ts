/**
 * Software keys whose signatures and births a test can take into its own hands.
 *
 * @module
 */

import { webcryptoKeys } from "../../../backends/webcrypto/mod.ts";
import type { Bytes } from "../../../src/encoding.ts";
import { KeyboundError } from "../../../src/errors.ts";
import type { KeyProvider, KeyStrength, SigningKey } from "../../../src/keys.ts";

/** A provider, and what it does instead of its work; all of it can be changed at any time. */
export interface ScriptedKeys extends KeyProvider {
  /** Answers `sign` instead of the key, which `regular` asks. */
  onSign: (regular: () => Promise<Bytes>) => Promise<Bytes>;
  /** Answers `create` instead of the provider, which `regular` asks. */
  onCreate: (regular: () => Promise<SigningKey>) => Promise<SigningKey>;
  /** Of the keys handed out from now on. */
  strength: KeyStrength;
}

/** A provider of P-256 or RSA keys that are in no storage. */
export function scriptedKeys(): ScriptedKeys {
  const inner = webcryptoKeys();
  const scripted = (key: SigningKey): SigningKey => ({
    id: key.id,
    spki: key.spki,
    schemes: key.schemes,
    strength: provider.strength,
    sign: (scheme, data, options) => provider.onSign(() => key.sign(scheme, data, options)),
  });
  const provider: ScriptedKeys = {
    name: "scripted",
    strength: "software",
    onSign: (regular) => regular(),
    onCreate: (regular) => regular(),
    open: async (id, options) => {
      const key = await inner.open(id, options);
      return key && scripted(key);
    },
    create: (id, options) =>
      provider.onCreate(async () => scripted(await inner.create(id, options))),
    remove: (id, options) => inner.remove(id, options),
  };
  return provider;
}

/** What a key says that will never sign again. */
export function unusable(): Promise<never> {
  return Promise.reject(new KeyboundError("key_unusable", "The key is gone."));
}

/** A promise and the means to keep it. */
export function held(): { readonly promise: Promise<void>; readonly release: () => void } {
  let release = () => {};
  const promise = new Promise<void>((resolve) => release = resolve);
  return { promise, release: () => release() };
}
