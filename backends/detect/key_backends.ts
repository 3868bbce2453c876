/**
 * What one kind of key takes.
 *
 * @module
 */

import type { Attestor } from "../../src/attestation.ts";
import type { KeyProvider } from "../../src/keys.ts";
import type { CertStore } from "../../src/stores.ts";
import type { MtlsTransport } from "../../src/transports.ts";

/** Keys, what does TLS with them besides the runtime, and why these. */
export interface KeyBackends {
  readonly keys: KeyProvider;
  /** Where certificates are kept, if such keys have a place of their own for that; and why there. */
  readonly certificates?: { readonly store: CertStore; readonly reason: string };
  readonly transports: readonly MtlsTransport[];
  readonly attestor?: Attestor;
  /** One sentence a choice. */
  readonly reasons: readonly string[];
  /** Closes all but the transports. */
  close(): Promise<void>;
}
