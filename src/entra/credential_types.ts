/**
 * What a client proves itself with: a certificate of its own, or an assertion of somebody else's.
 *
 * @module
 */

import type { ClientCredential } from "../credential.ts";
import type { HealCause } from "../policy/healing.ts";

/** What a function that gives credentials is told. */
export interface CredentialRequest {
  /**
   * The credential that a server has just refused: the function is asked again because of that, and
   * may look for another one where it would else give the one it has.
   */
  readonly refused?: ClientCredential;
  /** Why it was refused; present when `refused` is. */
  readonly cause?: HealCause;
  /** Correlation id (UUID) of the acquisition. */
  readonly correlationId: string;
  /** Ends when nobody waits any more. */
  readonly signal: AbortSignal;
}

/** What a function that gives assertions is told. */
export interface AssertionRequest extends CredentialRequest {
  /** The client that the assertion is for. */
  readonly clientId: string;
  /** Its tenant. */
  readonly tenantId: string;
  /** URL of the token endpoint that a token of the wanted kind comes from. */
  readonly tokenEndpoint: string;
  /** The merged `claims` parameter of the token request (JSON text). */
  readonly claims?: string;
  /** Path of a federated managed identity that the token is for. */
  readonly fmiPath?: string;
  /** Client capabilities such as `cp1`. */
  readonly clientCapabilities: readonly string[];
}

/** An assertion and, where it is bound to one, the certificate that goes with it on the wire. */
export interface ClientAssertion {
  /** A signed JWT: a token of another identity, for example. */
  readonly assertion: string;
  /** Certificate and key that the assertion is bound to. */
  readonly credential?: ClientCredential;
}

/** A certificate with its key, or a function that gives the current one. */
export type CertificateSource =
  | ClientCredential
  | Promise<ClientCredential>
  | ((request: CredentialRequest) => ClientCredential | Promise<ClientCredential>);

/** Assertions in place of a certificate of the client's own. */
export interface AssertionSource {
  /** Gives an assertion, with its certificate as one value. */
  readonly assertion: (request: AssertionRequest) => ClientAssertion | Promise<ClientAssertion>;
  /**
   * Whether every assertion comes with its certificate. One that doesn't is refused then, also for
   * a bearer token, and so is a host without mTLS endpoint, before any assertion is asked for.
   * @default false
   */
  readonly bound?: boolean;
}

/** What a confidential client proves itself with. */
export type EntraCredential = CertificateSource | AssertionSource;
