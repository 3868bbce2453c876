/**
 * The PINs that tokens have refused, so that none is tried twice.
 *
 * @module
 */

import { createHmac, randomBytes } from "node:crypto";

/** Remembers refused PINs, as digests under a key that no other process has. */
export class RefusedPins {
  readonly #key = randomBytes(32);
  readonly #digests = new Set<string>();

  /** Whether this token has refused this PIN. */
  has(token: string, pin: Uint8Array): boolean {
    return this.#digests.has(this.#digest(token, pin));
  }

  /** Remembers that this token has refused this PIN. */
  add(token: string, pin: Uint8Array): void {
    this.#digests.add(this.#digest(token, pin));
  }

  #digest(token: string, pin: Uint8Array): string {
    return createHmac("sha256", this.#key).update(`${token.length}:${token}`).update(pin)
      .digest("base64");
  }
}
