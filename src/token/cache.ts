/**
 * Tokens of this process, in memory only: a shared cache would hand one host's identity to
 * another.
 *
 * @module
 */

import type { Binding } from "../binding/binding.ts";
import { CLOCK_SKEW } from "../policy/renewal.ts";
import { REFRESH_PAUSE } from "../policy/token_life.ts";

/** A token as a caller gets it. */
export interface TokenResult {
  /** The access token. Send it together with `binding`, as one pair. */
  readonly accessToken: string;
  /** `mtls_pop`: useless without the binding's key. Also the scheme of the `Authorization` header. */
  readonly tokenType: "mtls_pop";
  /** End of its life, in milliseconds since the Unix epoch. */
  readonly expiresOn: number;
  /** When it will be refreshed in the background, in milliseconds since the Unix epoch. */
  readonly refreshOn?: number;
  /** The certificate and key it is bound to. */
  readonly binding: Binding;
  /** The managed-identity source it came from. */
  readonly source: "Imds";
  /** Whether it was served from memory. */
  readonly fromCache: boolean;
  /** Correlation id (UUID) of the acquisition that got it from the token endpoint. */
  readonly correlationId: string;
}

/** A token's times, in milliseconds since the Unix epoch. */
export interface TokenTimes {
  /** When it was received; before that, the clock has been put back. */
  readonly receivedOn: number;
  /** From when it isn't served. */
  readonly staleAt: number;
  /** From when it is refreshed in the background. */
  refreshAt: number;
}

/** A cached token. */
interface Entry extends TokenTimes {
  readonly result: TokenResult;
  /** Made once, so that a hit costs no promise of its own. */
  readonly promise: Promise<TokenResult>;
}

/** What a lookup found. */
export interface Hit {
  /** The result, ready to be returned. */
  readonly promise: Promise<TokenResult>;
  /** Whether a refresh should be started; says so once a minute at most. */
  readonly refreshDue: boolean;
}

/** A bounded cache of tokens; the one used longest ago goes first. */
export class TokenCache {
  readonly #entries = new Map<string, Entry>();
  readonly #capacity: number;

  /** A cache for this many tokens. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** The token of this key, if it has life left. */
  get(key: string, now: number): Hit | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    if (now >= entry.staleAt || now < entry.receivedOn - CLOCK_SKEW) return undefined;
    this.#entries.set(key, entry);
    const refreshDue = now >= entry.refreshAt;
    if (refreshDue) entry.refreshAt = now + REFRESH_PAUSE;
    return { promise: entry.promise, refreshDue };
  }

  /** Keeps a token that was asked for then, if none has been received since. */
  set(key: string, result: TokenResult, askedOn: number, times: TokenTimes): void {
    if ((this.#entries.get(key)?.receivedOn ?? 0) > askedOn) return;
    this.#entries.delete(key);
    const cached = Object.freeze({ ...result, fromCache: true });
    const promise = Promise.resolve(cached);
    this.#entries.set(key, { result: cached, promise, ...times });
    if (this.#entries.size <= this.#capacity) return;
    const oldest = this.#entries.keys().next();
    if (!oldest.done) this.#entries.delete(oldest.value);
  }

  /** Throws away the tokens bound to this certificate and says how many there were. */
  evict(thumbprint: string): number {
    let evicted = 0;
    for (const [key, { result }] of this.#entries) {
      if (result.binding.credential.thumbprint !== thumbprint) continue;
      this.#entries.delete(key);
      evicted++;
    }
    return evicted;
  }

  /** Makes the tokens bound to this certificate due for a refresh: it has a successor. */
  expedite(thumbprint: string): void {
    for (const entry of this.#entries.values()) {
      if (entry.result.binding.credential.thumbprint === thumbprint) entry.refreshAt = 0;
    }
  }
}
