/**
 * A place that keys are kept in, as `keybound keys` works with it.
 *
 * @module
 */

import { base64 } from "../../src/encoding.ts";
import type { KeyAlgorithm, SigningKey } from "../../src/keys.ts";

/** A key that was made. */
export interface MadeKey {
  readonly id: string;
  /** Where it is. */
  readonly uri: string;
  readonly algorithm: KeyAlgorithm;
  readonly strength: SigningKey["strength"];
  readonly schemes: SigningKey["schemes"];
  /** Base64 of the DER SubjectPublicKeyInfo. */
  readonly spki: string;
}

/** A key that is there. */
export interface ListedKey {
  /** Its name, where it tells. */
  readonly label: string;
  /** Where it is. */
  readonly uri: string;
  /** Its kind; `undefined` for one that isn't used here. */
  readonly algorithm: string | undefined;
  /** Why it can't be used, where it can't. */
  readonly fault?: string;
}

/** Keys in a token or a directory. */
export interface KeyPlace {
  /** A new key, in place of one of this name. */
  create(name: string, algorithm: KeyAlgorithm): Promise<MadeKey>;
  /** All private keys. */
  list(): Promise<readonly ListedKey[]>;
  /** Destroys the key of this name; does nothing where there is none. */
  remove(name: string): Promise<void>;
  /** Lets go of the place. */
  close(): Promise<void>;
}

/** What is told of a key that was made. */
export function madeKey(key: SigningKey, uri: string, algorithm: KeyAlgorithm): MadeKey {
  const { id, strength, schemes, spki } = key;
  return { id, uri, algorithm, strength, schemes, spki: base64(spki) };
}
