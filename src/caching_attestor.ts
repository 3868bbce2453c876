/**
 * An attestor that remembers: attestations outlive certificates (protocol.md section 5.4).
 *
 * @module
 */

import * as v from "valibot";
import type { AttestationRequest, Attestor } from "./attestation.ts";
import { type Clock, systemClock } from "./clock.ts";
import { base64, fromBase64url, fromUtf8 } from "./encoding.ts";
import { fields, parseJson } from "./parse.ts";
import { raceSignal, SingleFlight } from "./single_flight.ts";

/** Options of {@linkcode cachingAttestor}. */
export interface CachingAttestorOptions {
  /** Time. @default the runtime's */
  clock?: Clock;
}

/** A cached JWT is used while it has more than this left, in milliseconds. */
const FRESHNESS = 5 * 60_000;

/** Far more keys and endpoints than one host has. */
const CAPACITY = 64;

/**
 * `attestor`, asked once a key and endpoint while its last JWT has more than 5 minutes left
 * (by its `exp`). Concurrent requests share one call. Share the result among the identities of a
 * process.
 */
export function cachingAttestor(
  attestor: Attestor,
  { clock = systemClock() }: CachingAttestorOptions = {},
): Attestor {
  const tokens = new Map<string, { readonly token: string; readonly expiresOn: number }>();
  const flights = new SingleFlight<string | undefined>();
  return {
    name: attestor.name,
    async attest(request: AttestationRequest) {
      const { endpoint, key, signal } = request;
      const id = `${endpoint.toLowerCase().replace(/\/+$/, "")}|${key.id}|${base64(key.spki)}`;
      const cached = tokens.get(id);
      if (cached !== undefined && cached.expiresOn > clock.now() + FRESHNESS) return cached.token;
      tokens.delete(id);
      return await flights.run(id, async (flight) => {
        const token = await raceSignal(attestor.attest({ ...request, signal: flight }), flight);
        const expiresOn = expiryOf(token);
        if (token !== undefined && expiresOn !== undefined) {
          if (tokens.size >= CAPACITY) tokens.clear();
          tokens.set(id, { token, expiresOn });
        }
        return token;
      }, signal);
    },
  };
}

/** Seconds since the epoch, as a number or a numeric string. */
const Claims = fields({
  exp: v.custom<number | string>((value) =>
    typeof value !== "object" && /^\d{1,12}(\.\d{1,6})?$/.test(String(value))
  ),
});

/** `exp` of a JWT in milliseconds; `undefined` where there is none, which means: don't cache. */
function expiryOf(token: string | undefined): number | undefined {
  try {
    const claims = parseJson(Claims, fromUtf8(fromBase64url(token?.split(".")[1] ?? "")));
    return claims && Number(claims.exp) * 1000;
  } catch {
    return undefined;
  }
}
