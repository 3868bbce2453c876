/**
 * The keys of a token, whoever made them, and their URIs.
 *
 * @module
 */

import { fromUtf8 } from "../../src/encoding.ts";
import { KeyboundError } from "../../src/errors.ts";
import { CKA } from "./constants.ts";
import { findKeyObjects, type KeyPlace, publicKeysOf } from "./key_pairs.ts";
import { algorithmName } from "./public_key.ts";
import type { TokenSession } from "./token.ts";
import { formatPkcs11Uri } from "./uri.ts";

/** A key pair of a token, as {@linkcode Pkcs11KeyProvider.list} shows it. */
export interface Pkcs11KeyInfo {
  /** `CKA_LABEL` of the private key. */
  readonly label: string;
  /** Its `pkcs11:` URI, without module and PIN: what {@linkcode pkcs11Key} takes. */
  readonly uri: string;
  /** Its kind, such as `RSA-2048` or `P-256`; `undefined` where it isn't one that is used here. */
  readonly algorithm: string | undefined;
}

/** All private keys that the session sees. */
export async function listKeys(session: TokenSession): Promise<Pkcs11KeyInfo[]> {
  const { cryptoki, run, info: { label: token } } = session;
  const keys: Pkcs11KeyInfo[] = [];
  for (const handle of (await run(findKeyObjects(session, {}))).privateKeys) {
    const read = (type: number) => run(cryptoki.attribute(session.session, handle, type));
    const [id, name] = [await read(CKA.ID), await read(CKA.LABEL)];
    const label = textOf(name ?? new Uint8Array());
    const objects = await run(findKeyObjects(session, id?.length ? { id } : { label }));
    const [spki] = await run(publicKeysOf(session, objects)).catch(unknownKind);
    const uri = keyUri(token, {
      label: label === "" ? undefined : label,
      id: id?.length ? id : undefined,
    });
    keys.push({ label, uri, algorithm: spki && algorithmName(spki) });
  }
  return keys;
}

/** The URI of the private key in this place, without module and PIN. */
export function keyUri(token: string | undefined, { id, label }: KeyPlace): string {
  return formatPkcs11Uri({
    ...(token === undefined ? {} : { token }),
    ...(label === undefined ? {} : { object: label }),
    ...(id === undefined ? {} : { id }),
    type: "private",
  });
}

/** A key of a kind that isn't used here is listed all the same. */
function unknownKind(error: unknown): [] {
  if (error instanceof KeyboundError) return [];
  throw error;
}

/** A label; one that isn't UTF-8 shows as nothing. */
function textOf(octets: Uint8Array): string {
  try {
    return fromUtf8(octets);
  } catch {
    return "";
  }
}
