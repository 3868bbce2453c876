/**
 * Names that other programs see: of keys in CNG and of mutexes.
 *
 * @module
 */

import { createHash } from "node:crypto";
import type { KeyStrength } from "../../src/keys.ts";

/** Key id under which the KeyGuard key of .NET's library is shared (protocol.md section 2.2). */
export const SHARED_KEY = "KeyGuardRSAKey";

/**
 * The name in CNG of the key with this id. Names there don't differ by case and are limited in
 * length and characters; ids aren't. KeyGuard and software keys have one key storage provider, so
 * the strength is part of the name.
 */
export function keyName(id: string, strength: KeyStrength): string {
  if (strength === "keyguard" && id === SHARED_KEY) return SHARED_KEY;
  // Unlike its UTF-8, its JSON tells lone surrogates apart.
  return `keybound-${strength}-${sha256(JSON.stringify(id)).slice(0, 32)}`;
}

/**
 * The name, without `Global\` or `Local\`, of the mutex for an alias: that of .NET's library
 * (protocol.md section 3.4). Aliases that differ by case alone have one mutex.
 */
export function mutexName(alias: string): string {
  const canonical = alias.trim().replace(/\S/gu, upperInvariant);
  return `MSAL_MI_P_${canonical === "" ? "0" : sha256(canonical).slice(0, 32)}`;
}

/** .NET's invariant upper case: one UTF-16 unit or code point for one, so `ß` stays. */
function upperInvariant(character: string): string {
  const upper = character.toUpperCase();
  return upper.length === character.length ? upper : character;
}

function sha256(text: string): string {
  return createHash("sha256").update(text, "utf8").digest("hex");
}
