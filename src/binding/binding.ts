/**
 * A binding: the certificate, its key and where it is good for, as one value.
 *
 * @module
 */

import type { ClientCredential } from "../credential.ts";

/**
 * What a bound token is bound to, and what makes a client able to prove it. Immutable; nobody
 * re-assembles its parts.
 */
export interface Binding {
  /** Certificate and key. `credential.thumbprint` is the `x5t#S256` of the token's `cnf`. */
  readonly credential: ClientCredential;
  /** Base URL of the token endpoint, tenant included. */
  readonly endpoint: string;
  /** Canonical client id (UUID) of the identity. */
  readonly clientId: string;
  /** Whether the key was attested when the certificate was issued. */
  readonly attested: boolean;
}

/** Whether both are the same certificate. */
export function isSameBinding(a: Binding, b: Binding): boolean {
  return a.credential.thumbprint === b.credential.thumbprint;
}
