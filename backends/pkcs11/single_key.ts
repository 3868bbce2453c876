/**
 * A key that is in a token already, named by its URI.
 *
 * @module
 */

import { KeyboundError } from "../../src/errors.ts";
import type { KeyOptions } from "../../src/keys.ts";
import { raceSignal } from "../../src/single_flight.ts";
import { Pkcs11Key, type Pkcs11SigningKey } from "./key.ts";
import { keyUri } from "./key_list.ts";
import { KnownKeys } from "./known_keys.ts";
import type { Pkcs11Options } from "./options.ts";
import { toKeyboundError } from "./return_codes.ts";
import { Token } from "./token.ts";
import { parsePkcs11Uri } from "./uri.ts";

/** A key whose session is to be closed. */
export interface Pkcs11SingleKey extends Pkcs11SigningKey {
  /** Closes the sessions. The key signs no more: `closed`. */
  close(): Promise<void>;
}

/**
 * The private key that a URI names by `object`, `id` or both, whoever made it.
 *
 * Rejects with `invalid_argument` for a URI that names no key, `key_unusable` where the token has
 * no such key, `unsupported_key` for one that wants its PIN for each signature or isn't of a kind
 * used here, and as {@linkcode pkcs11Keys} does.
 *
 * @example
 * ```ts
 * const key = await pkcs11Key({
 *   uri: "pkcs11:token=YubiKey%20PIV;id=%01?module-path=/usr/lib/libykcs11.so",
 *   pin: () => readPinSomehow(),
 * });
 * ```
 */
export async function pkcs11Key(
  options: Pkcs11Options & { uri: string },
  { signal }: KeyOptions = {},
): Promise<Pkcs11SingleKey> {
  signal?.throwIfAborted();
  const { id, object, type = "private", token: label } = parsePkcs11Uri(options.uri);
  if ((id === undefined && object === undefined) || type !== "private") {
    throw new KeyboundError(
      "invalid_argument",
      "The URI names no private key: it needs 'object' or 'id', and no other 'type' than private.",
    );
  }
  const token = new Token(options);
  const place = { id, label: object };
  const uri = keyUri(label, place);
  const parts = { id: uri, uri, token, known: new KnownKeys(), place };
  try {
    const key = await raceSignal(token.run((session) => Pkcs11Key.find(session, parts)), signal);
    if (key !== undefined) return Object.assign(key, { close: () => token.close() });
    throw new KeyboundError(
      "key_unusable",
      `${token.subject} has no private key '${uri}' that signs.`,
    );
  } catch (error) {
    await token.close();
    throw toKeyboundError(error, token.subject);
  }
}
