/**
 * What a key can sign, found out by signatures that are verified with its public key.
 *
 * @module
 */

import { randomBytes } from "node:crypto";
import type { Bytes } from "../../src/encoding.ts";
import type { SignatureScheme } from "../../src/keys.ts";
import { verifySignature } from "../../src/x509/verify.ts";
import type { Handle } from "./cryptoki.ts";
import { classOf, ReturnCodeError } from "./return_codes.ts";
import { schemeFamilies, type SigningWay, signingWays } from "./signing.ts";
import type { TokenSession } from "./token.ts";

/** How a key signs in each scheme that it can, best first. */
export type Abilities = ReadonlyMap<SignatureScheme, SigningWay>;

/** Abilities, and whether nothing in finding them out looked like a passing trouble. */
export interface Findings {
  readonly abilities: Abilities;
  readonly isFinal: boolean;
}

/**
 * What the private key can sign so that it verifies under `spki`, PSS with a salt as long as the
 * digest. Nothing, where the private key isn't this public key's.
 *
 * Rejects with `ReturnCodeError` where the token couldn't be asked.
 */
export async function findAbilities(
  { cryptoki, session, run }: TokenSession,
  key: Handle,
  spki: Bytes,
): Promise<Findings> {
  const abilities = new Map<SignatureScheme, SigningWay>();
  let trouble: ReturnCodeError | undefined;
  const works = async (scheme: SignatureScheme, { mechanism, input, output }: SigningWay) => {
    const data = new Uint8Array(randomBytes(32));
    try {
      const raw = await run(cryptoki.sign(session, mechanism, key, input(data)));
      return await verifySignature(scheme, spki, data, output(raw));
    } catch (error) {
      if (!(error instanceof ReturnCodeError)) throw error;
      const kind = classOf(error);
      if (kind === "session" || kind === "login" || kind === "key") throw error;
      // TPMs have no better word than a general error for what they can't do.
      if (kind !== "unsupported") trouble ??= error;
      return false;
    }
  };
  for (const family of schemeFamilies(spki)) {
    const [first] = family as readonly [SignatureScheme];
    for (const [index, way] of signingWays(first, spki).entries()) {
      if (!await works(first, way)) continue;
      for (const scheme of family) abilities.set(scheme, signingWays(scheme, spki)[index]!);
      break;
    }
  }
  if (abilities.size === 0 && trouble !== undefined) throw trouble;
  return { abilities, isFinal: trouble === undefined };
}
