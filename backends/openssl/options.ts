/**
 * What transport and agent have in common: their options, and OpenSSL loaded when it is needed.
 *
 * @module
 */

import { KeyboundError } from "../../src/errors.ts";
import type { SigningKey } from "../../src/keys.ts";
import { trustAnchors } from "../http/trust_anchors.ts";
import type { FindOptions } from "./find.ts";
import type { LiveObjects } from "./openssl.ts";
import { OpensslRuntime, type RuntimeSettings, type Signing } from "./runtime.ts";

/** What transport and agent have in common. */
export interface OpensslOptions extends FindOptions {
  /**
   * PEM certificates of the authorities that servers are verified against, in place of those in
   * OpenSSL's own directory.
   */
  ca?: string | readonly string[];
  /**
   * Where a key signs. `in-place`: in the middle of the handshake, by `signSync`; the event loop
   * stands still for the time of one signature. `worker`: by `sign`, while the handshake waits on
   * another thread. `auto`: in place where the key has `signSync`. @default "auto"
   */
  signing?: Signing;
}

/** OpenSSL, loaded when it is needed first; a failure isn't remembered. */
export class LazyRuntime {
  readonly #options: OpensslOptions;
  readonly #settings: RuntimeSettings;
  #runtime: Promise<OpensslRuntime> | undefined;

  /** Nothing is loaded yet. Throws `invalid_pem`. */
  constructor(options: OpensslOptions) {
    const { ca, signing = "auto" } = options;
    this.#options = options;
    this.#settings = { ca: ca === undefined ? undefined : trustAnchors(ca), signing };
  }

  /** OpenSSL. Rejects as `OpensslRuntime.load` does. */
  async load(): Promise<OpensslRuntime> {
    try {
      return await (this.#runtime ??= OpensslRuntime.load(this.#options, this.#settings));
    } catch (error) {
      this.#runtime = undefined;
      throw error;
    }
  }

  /** Frees it, if it was loaded; what is held all the same, thread by thread. */
  async close(): Promise<readonly LiveObjects[]> {
    return await this.#runtime?.then((runtime) => runtime.close(), () => []) ?? [];
  }
}

/** Whether this key can make any signature of TLS. */
export function canSign({ schemes, sign }: SigningKey): boolean {
  return schemes.length > 0 && typeof sign === "function";
}

/** Throws `transport_not_available` for a key that can make none. */
export function assertAccepted(key: SigningKey): void {
  if (canSign(key)) return;
  throw new KeyboundError(
    "transport_not_available",
    `Key '${key.id}' signs by none of the schemes of TLS.`,
  );
}
