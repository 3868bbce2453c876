/**
 * The keys that an authorization server signs its tokens with.
 *
 * @module
 */

import type { JSONWebKeySet, JWTVerifyGetKey } from "jose";
import { KeyboundError } from "../src/errors.ts";
import { MAX_BODY, readText } from "../src/http.ts";
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

/**
 * Resolves keys. Those of an address are fetched when first wanted, kept for 10 minutes and fetched
 * again for an unknown key id, at most every 30 s. Throws `invalid_argument` for an address that
 * isn't https.
 */
export function keyResolver(
  source: KeySource,
  fetch: typeof globalThis.fetch,
): () => Promise<JWTVerifyGetKey> {
  if (typeof source === "function") return () => Promise.resolve(source as JWTVerifyGetKey);
  if (source instanceof URL && source.protocol !== "https:") {
    throw new KeyboundError("invalid_argument", "'jwks' must be an https URL.");
  }
  let resolver: Promise<JWTVerifyGetKey> | undefined;
  return () => resolver ??= create(source, fetch);
}

async function create(
  source: URL | JsonWebKeySet,
  fetch: typeof globalThis.fetch,
): Promise<JWTVerifyGetKey> {
  const { createLocalJWKSet, createRemoteJWKSet, customFetch } = await loadJose();
  if (!(source instanceof URL)) return createLocalJWKSet(source as JSONWebKeySet);
  return createRemoteJWKSet(source, {
    [customFetch]: async (url: string, init: RequestInit) => {
      const response = await fetch(url, init);
      const { status } = response;
      return new Response(await readText(response, MAX_BODY), { status });
    },
  });
}
