/**
 * Tokens of this process, in memory only: a shared cache would hand one host's identity to
 * another.
 *
 * @module
 */

import { CLOCK_SKEW } from "../policy/renewal.ts";
import { REFRESH_PAUSE } from "../policy/token_life.ts";

/** What of a token the cache looks at. */
export interface CacheableToken {
  /** The certificate it is bound to, if it is. */
  readonly binding?: { readonly credential: { readonly thumbprint: string } } | undefined;
  /** Whether it was served from memory. */
  readonly fromCache: boolean;
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
interface Entry<Token> extends TokenTimes {
  readonly result: Token;
  /** Its number, as `ask` gave it. */
  readonly asked: number;
  /** From when another refresh may be started, whatever became of the last one. */
  notBefore: number;
  /** Whether it was served since it was kept, or last spared. */
  isUsed: boolean;
  /** Made once, so that a hit costs no promise of its own. */
  readonly promise: Promise<Token>;
}

/** What a lookup found. */
export interface Hit<Token> {
  /** The result, ready to be returned. */
  readonly promise: Promise<Token>;
  /** Whether a refresh should be started; says so once a minute at most. */
  readonly refreshDue: boolean;
}

/**
 * A bounded cache of tokens; those not used lately go first. Which those are is found out when room
 * is needed: a hit that moved its token to the end of the map would cost more than all else it does.
 */
export class TokenCache<Token extends CacheableToken> {
  readonly #entries = new Map<string, Entry<Token>>();
  readonly #capacity: number;
  #asked = 0;

  /** A cache for this many tokens. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** The token of this key, if it has life left. */
  get(key: string, now: number): Hit<Token> | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (now >= entry.staleAt || now < entry.receivedOn - CLOCK_SKEW) {
      this.#entries.delete(key);
      return undefined;
    }
    entry.isUsed = true;
    const refreshDue = now >= entry.refreshAt && now >= entry.notBefore;
    if (refreshDue) entry.notBefore = now + REFRESH_PAUSE;
    return { promise: entry.promise, refreshDue };
  }

  /** The number of a token about to be asked for: greater than any before, whatever the clock. */
  ask(): number {
    return ++this.#asked;
  }

  /**
   * Keeps the token that was asked for by this number, unless one asked for later is there: that
   * one may know of a challenge that this one doesn't.
   */
  set(key: string, result: Token, asked: number, times: TokenTimes): void {
    const previous = this.#entries.get(key);
    if (previous !== undefined && previous.asked > asked) return;
    this.#entries.delete(key);
    if (this.#entries.size >= this.#capacity) this.#makeRoom();
    const cached = Object.freeze({ ...result, fromCache: true });
    const promise = Promise.resolve(cached);
    // Kept, so that a server's advice to refresh at once isn't taken again and again.
    const notBefore = previous?.notBefore ?? 0;
    this.#entries.set(key, { result: cached, promise, asked, notBefore, isUsed: false, ...times });
  }

  /** Throws away the oldest that nobody has used since it was last spared. */
  #makeRoom(): void {
    for (const [key, entry] of this.#entries) {
      this.#entries.delete(key);
      if (!entry.isUsed) return;
      this.#entries.set(key, entry);
      entry.isUsed = false;
    }
  }

  /** Throws away the tokens bound to this certificate and says how many there were. */
  evict(thumbprint: string): number {
    const bound = this.#boundTo(thumbprint);
    for (const [key] of bound) this.#entries.delete(key);
    return bound.length;
  }

  /** Makes the tokens bound to this certificate due for a refresh: it has a successor. */
  expedite(thumbprint: string): void {
    for (const [, entry] of this.#boundTo(thumbprint)) entry.refreshAt = 0;
  }

  #boundTo(thumbprint: string): [key: string, entry: Entry<Token>][] {
    return [...this.#entries].filter(([, { result }]) =>
      result.binding?.credential.thumbprint === thumbprint
    );
  }
}
