/**
 * Client assertions for MSAL, signed by a key that may never leave its place.
 *
 * @module
 */

import { type Clock, systemClock } from "../../src/clock.ts";
import { withDeadline } from "../../src/deadline.ts";
import { signAssertion } from "../../src/entra/assertion.ts";
import { KeyboundError } from "../../src/errors.ts";
import type { CredentialSource } from "../../src/rfc8705/options.ts";
import { assertCredentialSource, currentCredential } from "../mtls/credential.ts";
import { mtlsEndpointOf } from "./endpoint.ts";

/** Options of {@linkcode clientAssertion}. */
export interface ClientAssertionOptions {
  /** RSA key and certificate that sign; a function is called once an assertion. */
  credential: CredentialSource;
  /**
   * Whether MSAL sends the assertion by `mtlsNetwork`: then it is made out to the endpoint for client
   * certificates. @default false
   */
  overMtls?: boolean;
  /** Milliseconds until the key must have signed. @default 30000 */
  timeout?: number;
  /** Time. @default the runtime's */
  clock?: Clock;
  /** Ids. @default globalThis.crypto */
  crypto?: Pick<Crypto, "randomUUID">;
}

/** What MSAL tells the provider of assertions. */
export interface AssertionConfig {
  /** The client: issuer and subject. */
  readonly clientId: string;
  /** URL of the token endpoint: the audience. */
  readonly tokenEndpoint?: string | undefined;
}

/** Fits `auth.clientAssertion` of `@azure/msal-node`. */
export type ClientAssertionCallback = (config: AssertionConfig) => Promise<string>;

/**
 * Gives MSAL a new client assertion each time it asks: PS256, with `x5t#S256` and the whole chain in
 * `x5c`, good for 10 minutes (RFC 7523 section 3, protocol.md section 8.7). Put it into the
 * configuration (`auth.clientAssertion`); to one in a request MSAL doesn't say which token endpoint
 * it is for.
 *
 * It rejects with `certificate_not_rsa`, `invalid_certificate` for a certificate that isn't in force,
 * `request_timeout`, `invalid_argument` where MSAL names no token endpoint, as `mtlsEndpointOf` throws with `overMtls`, and as `SigningKey.sign` does.
 *
 * @example
 * ```ts
 * const app = new ConfidentialClientApplication({
 *   auth: { clientId, authority, clientAssertion: clientAssertion({ credential }) },
 * });
 * ```
 */
export function clientAssertion(options: ClientAssertionOptions): ClientAssertionCallback {
  const { credential: source, overMtls = false, timeout = 30_000 } = options;
  const { clock = systemClock(), crypto = globalThis.crypto } = options;
  assertCredentialSource(source);
  return async ({ clientId, tokenEndpoint }) => {
    if (tokenEndpoint === undefined) {
      throw new KeyboundError(
        "invalid_argument",
        "MSAL doesn't say which token endpoint the assertion is for. Pass it as 'auth.clientAssertion'.",
      );
    }
    const audience = overMtls ? mtlsEndpointOf(tokenEndpoint) : tokenEndpoint;
    const credential = await currentCredential(source, clock.now());
    return await withDeadline(
      (signal) =>
        signAssertion({
          clientId,
          audience: audience.replace(/\?.*$/, ""),
          credential,
          now: clock.now(),
          id: crypto.randomUUID(),
          signal,
        }),
      timeout,
      new KeyboundError("request_timeout", `The key didn't sign within ${timeout} ms.`, {
        retryable: true,
      }),
      clock,
      undefined,
    );
  };
}
