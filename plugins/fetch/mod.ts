/**
 * A `fetch` for code that knows nothing of tokens: it adds token and certificate where they may go,
 * and nowhere else.
 *
 * @example
 * ```ts
 * import { createFetch } from "keybound/fetch";
 *
 * const fetch = createFetch(identity, {
 *   resource: "https://vault.azure.net",
 *   origins: ["https://my-vault.vault.azure.net"],
 * });
 * const response = await fetch("https://my-vault.vault.azure.net/secrets/s?api-version=7.4");
 * ```
 *
 * @module
 */

import { KeyboundError } from "../../src/errors.ts";

/** What has tokens: a managed identity, a confidential client, a client of RFC 8705. */
export interface TokenHolder<Init extends RequestInit> {
  /** Sends a request with token and certificate. */
  fetch(input: string | URL | Request, init?: Init): Promise<Response>;
}

/** What a token is asked with, by the same names as in the holder's `fetch`. */
export type TokenQuestion<Init extends RequestInit> = Init extends unknown
  ? Omit<Init, keyof RequestInit | "correlationId" | "forceRefresh">
  : never;

/** Where the token may go. */
export interface Destinations {
  /**
   * Origins (`https://host`, `https://host:port`) that the token is meant for, or a function that
   * says so of a URL. There is no default: a token sent to the wrong server is a token lost.
   */
  origins: readonly string[] | ((url: URL) => boolean);
  /**
   * What sends requests to all other origins, without token and certificate.
   * @default none: they are refused with `invalid_argument`
   */
  elsewhere?: typeof globalThis.fetch;
}

/** Options of {@linkcode createFetch}. */
export type FetchOptions<Init extends RequestInit> = Destinations & TokenQuestion<Init>;

/**
 * A `fetch` whose requests to the allowed origins carry a token of `identity`, over a connection
 * with the certificate that the token is bound to. An `Authorization` header of the caller's gives
 * way there. Redirects of these origins are never followed: a 3xx is an answer like any other.
 *
 * It rejects with `invalid_argument` for an origin that isn't allowed and for what is no URL, and as
 * the holder's `fetch` does. Throws `invalid_argument` where `origins` is empty, or one of them isn't
 * an https origin.
 */
export function createFetch<Init extends RequestInit>(
  identity: TokenHolder<Init>,
  options: FetchOptions<Init>,
): typeof globalThis.fetch {
  const { origins, elsewhere, ...question } = options as Destinations;
  const isAllowed = typeof origins === "function" ? origins : among(origins);
  return async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    // What is judged is what is sent: a URL object may change, and text may mean another URL.
    const target = input instanceof Request ? input : parsed(input);
    const url = target instanceof URL ? target : new URL(target.url);
    if (isAllowed(new URL(url)) === true) {
      return await identity.fetch(target, { ...init, ...question } as Init);
    }
    if (elsewhere !== undefined) return await elsewhere(target, init);
    throw new KeyboundError(
      "invalid_argument",
      `No token goes to '${url.origin}'. Add it to 'origins' if it is meant to, or pass 'elsewhere'.`,
    );
  };
}

function among(origins: readonly string[]): (url: URL) => boolean {
  if (!Array.isArray(origins) || origins.length === 0) {
    throw new KeyboundError(
      "invalid_argument",
      "'origins' must say where the token may go: a list of https origins, or a function.",
    );
  }
  const allowed = new Set(origins.map(checkedOrigin));
  return ({ origin }) => allowed.has(origin);
}

function checkedOrigin(text: string): string {
  // A path would suggest that the token goes to that path alone, a star that it goes to many hosts.
  if (/^https:\/\/[^/?#@*\\\s]+\/?$/i.test(text) && URL.canParse(text)) return new URL(text).origin;
  throw new KeyboundError("invalid_argument", "Each of 'origins' must be like 'https://host'.");
}

function parsed(input: string | URL): URL {
  try {
    return new URL(input);
  } catch {
    // Without its cause: the runtime's error quotes the URL, which may hold a secret.
    throw new KeyboundError("invalid_argument", "The URL isn't valid. It must be an absolute one.");
  }
}
