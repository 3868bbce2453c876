/**
 * One identity vouches for another: a token of the first is the second's assertion (protocol.md
 * section 8.8).
 *
 * @module
 */

import type { Binding } from "../binding/binding.ts";
import type { ClientCredential } from "../credential.ts";
import { KeyboundError } from "../errors.ts";
import type { KeyStrength } from "../keys.ts";
import type { ManagedIdentity } from "../managed_identity_options.ts";
import { confidentialClient } from "./confidential_client.ts";
import type { AssertionRequest, ClientAssertion } from "./credential_types.ts";
import type { ConfidentialClient, ConfidentialClientOptions } from "./options.ts";

/** Who can vouch: the managed identity of this host, or another application. */
export type FirstLeg = ManagedIdentity | ConfidentialClient;

/** Who is vouched for: an application without a credential of its own. */
export type SecondLeg = Omit<ConfidentialClientOptions, "credential" | "sendCertificateOverMtls">;

/** Options of {@linkcode federate}. */
export interface FederationOptions {
  /**
   * Audience of the token that vouches: `api://AzureADTokenExchangeUSGov` or
   * `api://AzureADTokenExchangeChina` in those clouds. @default "api://AzureADTokenExchange"
   */
  audience?: string;
  /** Whether a managed identity's key must be attested. @default false */
  attest?: boolean;
  /** Weakest key of a managed identity that will do. @default none */
  minStrength?: KeyStrength;
}

/**
 * The second application, which proves itself with bound tokens of the first identity: over the
 * first's certificate on the wire, with the token it is bound to in the body. The two travel as one
 * value, so no rotation mixes them. Its own tokens are bound to the same certificate, or bearer
 * tokens.
 *
 * When the second leg's server refuses the certificate, the first identity is asked for another one
 * once, a minute apart at the least: a managed identity gets a new certificate, an application asks
 * its own `credential` function.
 *
 * Throws as `confidentialClient` does, and `invalid_argument` for a second leg that isn't one: a
 * managed identity takes no assertions.
 *
 * @example
 * ```ts
 * const client = federate(managedIdentity(host), { ...host, clientId, authority });
 * const response = await client.fetch(url, { resource: "https://vault.azure.net" });
 * ```
 */
export function federate(
  first: FirstLeg,
  second: SecondLeg,
  options: FederationOptions = {},
): ConfidentialClient {
  if (typeof first?.getToken !== "function") {
    throw new KeyboundError("invalid_argument", "The first leg must be an identity or a client.");
  }
  if (typeof (second as Partial<ConfidentialClient>)?.getToken === "function") {
    throw new KeyboundError(
      "invalid_argument",
      "The second leg is described by its 'clientId' and 'authority'; a managed identity can't be one.",
    );
  }
  const leg = "capabilities" in first ? identityLeg(first, options) : clientLeg(first, options);
  return confidentialClient({ ...second, credential: { assertion: leg, bound: true } });
}

const AUDIENCE = "api://AzureADTokenExchange";

type Leg = (request: AssertionRequest) => Promise<ClientAssertion>;

function identityLeg(first: ManagedIdentity, options: FederationOptions): Leg {
  const { audience: resource = AUDIENCE, attest, minStrength } = options;
  const demands = {
    ...(attest === undefined ? {} : { attest }),
    ...(minStrength === undefined ? {} : { minStrength }),
  };
  /** What the credentials handed on belong to; each is asked about while it is in use. */
  const bindings = new WeakMap<ClientCredential, Binding>();
  return async ({ refused, cause, correlationId, signal }) => {
    const asked = { ...demands, correlationId, signal };
    const failed = refused === undefined ? undefined : bindings.get(refused);
    const canHeal = first.heal !== undefined && failed !== undefined && cause !== undefined;
    if (canHeal) await first.heal!(failed, cause, asked);
    const { accessToken, binding } = await first.getToken({
      ...asked,
      resource,
      // Its own server says whether the certificate is any good, where nobody else can.
      forceRefresh: refused !== undefined && !canHeal,
    });
    bindings.set(binding.credential, binding);
    return { assertion: accessToken, credential: binding.credential };
  };
}

function clientLeg(first: ConfidentialClient, { audience = AUDIENCE }: FederationOptions): Leg {
  return async ({ refused, correlationId, signal }) => {
    const { accessToken, binding } = await first.getToken({
      resource: audience,
      forceRefresh: refused !== undefined,
      correlationId,
      signal,
    });
    return { assertion: accessToken, credential: binding.credential };
  };
}
