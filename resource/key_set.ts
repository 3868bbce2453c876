/**
 * The keys that an authorization server signs its tokens with.
 *
 * @module
 */

import type { JSONWebKeySet, JWTVerifyGetKey } from "jose";
import { KeyboundError } from "../src/errors.ts";
import { MAX_BODY, readText } from "../src/http.ts";
import { fields, parseJson } from "../src/parse.ts";
import { loadJose } from "./jose.ts";

/** A JSON Web Key Set (RFC 7517 section 5). */
export interface JsonWebKeySet {
  /** Public keys. */
  readonly keys: readonly Readonly<Record<string, unknown>>[];
}

/** Gives the key for a token, as those of jose's `createLocalJWKSet` and its like do. */
export type KeyResolver = (
  header: { readonly alg: string; readonly kid?: string },
  token: { readonly payload: string; readonly protected?: string; readonly signature: string },
) => unknown;

/** Where keys come from: the address of a JWKS (https), a JWKS, or a resolver. */
export type KeySource = URL | JsonWebKeySet | KeyResolver;

/** Pause after a fetch that failed, in milliseconds: keys are at hand, or nobody can be let in. */
const [PAUSE_WITH_KEYS, PAUSE_WITHOUT] = [30_000, 5_000];

/** What fetching keys takes. */
export interface KeyFetching {
  /** Fetches the JWKS. */
  readonly fetch: typeof globalThis.fetch;
  /** Time, in milliseconds since the Unix epoch. */
  readonly now: () => number;
}

/**
 * Resolves keys. Those of an address are fetched when first wanted, kept for 10 minutes and fetched
 * again for an unknown key id, at most every 30 s; where there are none, every 5 s. Throws
 * `invalid_argument` for an address that isn't https.
 */
export function keyResolver(
  source: KeySource,
  fetching: KeyFetching,
): () => Promise<JWTVerifyGetKey> {
  if (typeof source === "function") return () => Promise.resolve(source as JWTVerifyGetKey);
  if (source instanceof URL && source.protocol !== "https:") {
    throw new KeyboundError("invalid_argument", "'jwks' must be an https URL.");
  }
  let resolver: Promise<JWTVerifyGetKey> | undefined;
  return () => resolver ??= create(source, fetching);
}

const KeySet = fields({});

async function create(
  source: URL | JsonWebKeySet,
  { fetch, now }: KeyFetching,
): Promise<JWTVerifyGetKey> {
  const { createLocalJWKSet, createRemoteJWKSet, customFetch } = await loadJose();
  if (!(source instanceof URL)) return createLocalJWKSet(source as JSONWebKeySet);
  let failedOn = -Infinity;
  const resolver = createRemoteJWKSet(source, {
    [customFetch]: async (url: string, init: RequestInit) => {
      // jose pauses after a success alone. Whoever sends unknown key ids could have a server in
      // trouble asked once a token.
      const since = now() - failedOn;
      if (since >= 0 && since < (resolver.fresh ? PAUSE_WITH_KEYS : PAUSE_WITHOUT)) throw failed();
      try {
        const response = await fetch(url, init);
        const text = await readText(response, MAX_BODY);
        const isKeySet = Array.isArray(parseJson(KeySet, text)?.["keys"]);
        if (response.status !== 200 || !isKeySet) throw failed();
        return new Response(text);
      } catch (error) {
        failedOn = now();
        throw error;
      }
    },
  });
  return resolver;
}

function failed(): KeyboundError {
  return new KeyboundError(
    "jwks_unavailable",
    "There is no JWKS at the address, or there was none a moment ago.",
    { retryable: true },
  );
}
