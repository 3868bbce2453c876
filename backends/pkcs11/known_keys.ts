/**
 * Which objects of a token are a key pair, and what is known of it.
 *
 * @module
 */

import { type Bytes, equalBytes } from "../../src/encoding.ts";
import { KeyboundError } from "../../src/errors.ts";
import { type Abilities, findAbilities } from "./abilities.ts";
import type { Handle } from "./cryptoki.ts";
import { findKeyObjects, type KeyPlace, publicKeysOf, wantsPinEachTime } from "./key_pairs.ts";
import type { TokenSession } from "./token.ts";

/** A pair that was found, and that its signatures prove to be one. */
export interface LivingPair {
  /** The public half, DER SubjectPublicKeyInfo. */
  readonly spki: Bytes;
  /** The private half. */
  readonly privateKey: Handle;
  /** How it signs. */
  readonly abilities: Abilities;
}

/** What is known of the keys of a token, by SPKI: finding it out costs some signatures. */
export class KnownKeys {
  readonly #abilities = new Map<string, Abilities>();

  /**
   * The key pair in this place; `undefined` where there is none. Of several, those with `spki`,
   * else the one whose SPKI comes first: so all processes choose the same.
   */
  async find(
    session: TokenSession,
    place: KeyPlace,
    spki?: Bytes,
  ): Promise<LivingPair | undefined> {
    const { run } = session;
    const objects = await run(findKeyObjects(session, place));
    if (objects.privateKeys.length === 0) return undefined;
    const publicKeys = (await run(publicKeysOf(session, objects)))
      .filter((candidate) => spki === undefined || equalBytes(candidate, spki))
      .sort(byOctets);
    const isOnly = objects.privateKeys.length === 1 && objects.publicKeys.length <= 1;
    for (const candidate of publicKeys) {
      for (const privateKey of objects.privateKeys) {
        const known = isOnly ? this.#abilities.get(nameOf(candidate)) : undefined;
        const pair = known === undefined
          ? await this.prove(session, privateKey, candidate)
          : { spki: candidate, privateKey, abilities: known };
        if (pair !== undefined) return pair;
      }
    }
    return undefined;
  }

  /** The pair of these halves; `undefined` where they aren't one, or don't sign. */
  async prove(
    session: TokenSession,
    privateKey: Handle,
    spki: Bytes,
  ): Promise<LivingPair | undefined> {
    const abilities = await this.#learn(session, privateKey, spki);
    return abilities.size === 0 ? undefined : { spki, privateKey, abilities };
  }

  async #learn(session: TokenSession, privateKey: Handle, spki: Bytes): Promise<Abilities> {
    if (await session.run(wantsPinEachTime(session, privateKey))) {
      throw new KeyboundError(
        "unsupported_key",
        "The key wants its PIN for each signature. Use one that doesn't (PIV: slot 9a, not 9c).",
      );
    }
    const { abilities, isFinal } = await findAbilities(session, privateKey, spki);
    if (isFinal && abilities.size > 0) this.#abilities.set(nameOf(spki), abilities);
    return abilities;
  }
}

function nameOf(spki: Bytes): string {
  return String.fromCharCode(...spki);
}

function byOctets(a: Bytes, b: Bytes): number {
  const [one, other] = [nameOf(a), nameOf(b)];
  return one < other ? -1 : one > other ? 1 : 0;
}
