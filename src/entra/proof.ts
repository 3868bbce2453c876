/**
 * Asks for what a client proves itself with, and checks what it gets.
 *
 * @module
 */

import { ClientCredential } from "../credential.ts";
import { KeyboundError } from "../errors.ts";
import { isInForce } from "../policy/renewal.ts";
import { raceSignal } from "../single_flight.ts";
import type { AssertionRequest, CredentialRequest, EntraCredential } from "./credential_types.ts";
import type { ProofKind } from "./mode.ts";

/** What goes into one token request: assertion and certificate as one value. */
export interface Proof {
  /** What there is. */
  readonly kind: ProofKind;
  /** The assertion that was given, if one was. */
  readonly assertion: string | undefined;
  /** The certificate and its key, if there is one. */
  readonly credential: ClientCredential | undefined;
}

/** Where proofs come from. */
export type ProofSource =
  | {
    /** A certificate of the client's own. */
    readonly kind: "certificate";
    /** Whether asking again may give another one. */
    readonly isFixed: boolean;
    /** The certificate to use now. */
    readonly ask: (request: CredentialRequest) => Promise<Proof>;
  }
  | {
    /** Somebody else's assertions. */
    readonly kind: "assertion";
    /** Asking again may always give another one. */
    readonly isFixed: false;
    /** Whether each comes with a certificate. */
    readonly isBound: boolean;
    /** The assertion to use now. */
    readonly ask: (request: AssertionRequest) => Promise<Proof>;
  };

/**
 * The source behind a `credential` option.
 *
 * Throws `Client_Credentials_Required_In_Confidential_Client_Application` for none at all, and
 * `mtls_certificate_not_provided` for what no certificate can come from, such as a secret.
 */
export function proofSource(credential: EntraCredential): ProofSource {
  if (credential === undefined || credential === null) {
    throw new KeyboundError(
      "Client_Credentials_Required_In_Confidential_Client_Application",
      "A confidential client needs a 'credential': a certificate with its key, or assertions.",
    );
  }
  if (typeof credential === "function") {
    const ask = async (request: CredentialRequest) =>
      certificateProof(await raceSignal(callOf(credential, request), request.signal));
    return { kind: "certificate", isFixed: false, ask };
  }
  if (credential instanceof ClientCredential || credential instanceof Promise) {
    const given = Promise.resolve(credential);
    // Whoever asks for a token sees that it couldn't be had.
    given.catch(() => {});
    const ask = async ({ signal }: CredentialRequest) =>
      certificateProof(await raceSignal(given, signal));
    return { kind: "certificate", isFixed: true, ask };
  }
  const { assertion, bound: isBound = false } = credential;
  if (typeof assertion === "function") {
    const ask = async (request: AssertionRequest) =>
      assertionProof(await raceSignal(callOf(assertion, request), request.signal), isBound);
    return { kind: "assertion", isFixed: false, isBound, ask };
  }
  throw new KeyboundError(
    "mtls_certificate_not_provided",
    "'credential' is neither a certificate with its key nor a source of assertions. Secrets can't be bound.",
  );
}

/** Throws `invalid_certificate` for a certificate that isn't in force at `now`, in milliseconds. */
export function assertInForce({ credential }: Proof, now: number): void {
  if (credential === undefined || isInForce(credential.leaf, now)) return;
  throw new KeyboundError(
    "invalid_certificate",
    "The client's certificate is not in force. Renew it, or check this host's clock.",
  );
}

/** What a caller's function throws at once is a rejection like any other. */
async function callOf<Asked, Value>(
  give: (request: Asked) => Value | Promise<Value>,
  request: Asked,
): Promise<Value> {
  return await give(request);
}

function certificateProof(credential: unknown): Proof {
  if (credential instanceof ClientCredential) {
    return { kind: "certificate", assertion: undefined, credential };
  }
  throw new KeyboundError(
    "mtls_certificate_not_provided",
    "There is no certificate with a key in what the 'credential' function gave. See pemCredential.",
  );
}

/** What a header or a form can carry of a JWT. */
const ASSERTION = /^[\x21-\x7e]{1,65536}$/;

function assertionProof(given: unknown, isBound: boolean): Proof {
  const { assertion, credential } = (given ?? {}) as Record<string, unknown>;
  if (typeof assertion !== "string" || !ASSERTION.test(assertion)) {
    throw new KeyboundError(
      "invalid_client_assertion",
      "The 'assertion' function gave no assertion. It must give { assertion, credential? }.",
    );
  }
  if (!isBound && (credential === undefined || credential === null)) {
    return { kind: "unbound_assertion", assertion, credential: undefined };
  }
  const { credential: checked } = certificateProof(credential);
  return { kind: "bound_assertion", assertion, credential: checked };
}
