/**
 * Refresh tokens, in memory only, each for one question and one certificate.
 *
 * @module
 */

interface Held {
  readonly token: string;
  readonly thumbprint: string;
}

/**
 * Holds at most one refresh token a question. A token is taken out to be used and comes back only
 * when the server has answered well: two requests with one token, or one whose fate isn't known,
 * would look to a server that rotates them like a theft.
 */
export class RefreshTokens {
  readonly #held = new Map<string, Held>();
  readonly #capacity: number;

  /** None yet; at most this many, the one kept longest ago goes first. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Takes out the refresh token of this question; one of another certificate is thrown away. */
  take(key: string, thumbprint: string): string | undefined {
    const held = this.#held.get(key);
    this.#held.delete(key);
    return held?.thumbprint === thumbprint ? held.token : undefined;
  }

  /** Keeps a refresh token that was granted to the holder of this certificate (`x5t#S256`). */
  keep(key: string, token: string, thumbprint: string): void {
    this.#held.delete(key);
    this.#held.set(key, { token, thumbprint });
    if (this.#held.size <= this.#capacity) return;
    const oldest = this.#held.keys().next();
    if (!oldest.done) this.#held.delete(oldest.value);
  }
}
