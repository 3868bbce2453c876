/**
 * A credential for clients of the Azure SDK.
 *
 * @module
 */

import { KeyboundError } from "../../src/errors.ts";
import type { BindingWish } from "../../src/token/result.ts";
import type { AzureIdentity } from "./identity.ts";
import { CAE_CLAIMS, writeReference } from "./reference.ts";
import { abortError, type AbortSignalLike, linkedSignal } from "./signal.ts";

/** What the SDK asks a token with: its `GetTokenOptions`, by shape. */
export interface AzureGetTokenOptions {
  /** Ends the wait. */
  abortSignal?: AbortSignalLike;
  /** Milliseconds for the request. */
  requestOptions?: {
    /** In milliseconds. */
    timeout?: number;
  };
  /** A service's claims challenge. */
  claims?: string;
  /** Whether the client understands claims challenges. */
  enableCae?: boolean;
  /** The tenant that a service hints at. */
  tenantId?: string;
}

/** What the SDK is given: its `AccessToken`, by shape. */
export interface AzureAccessToken {
  /** The token, or what stands for it. */
  token: string;
  /** End of its life, in milliseconds since the Unix epoch. */
  expiresOnTimestamp: number;
  /** When it will be refreshed, in milliseconds since the Unix epoch. */
  refreshAfterTimestamp?: number;
  /** What the SDK calls every token. */
  tokenType: "Bearer";
}

/** The SDK's `TokenCredential`, by shape. */
export interface AzureTokenCredential {
  /** A token for one scope. */
  getToken(scopes: string | string[], options?: AzureGetTokenOptions): Promise<AzureAccessToken>;
}

/** Options of {@linkcode tokenCredential}. */
export interface TokenCredentialOptions<Wish extends BindingWish = BindingWish> {
  /**
   * What tokens are to be bound to. With `bearer` the SDK gets real tokens and any HTTP client will
   * do; else it gets references, and needs `httpClient` of the same identity. @default "mtls_pop"
   */
  binding?: Wish;
  /**
   * Tenants (ids, as the service's challenge says them) in which tokens may be asked for when a
   * service hints at them, `*` for any. Without the service's tenant among them, tokens are the
   * identity's own tenant's: a service shouldn't choose where one signs in.
   * @default []
   */
  additionallyAllowedTenants?: readonly string[];
}

const DEFAULT = "/.default";

/**
 * A credential that any client of the Azure SDK takes.
 *
 * `getToken` takes one scope, ending in `/.default` or a bare resource. It goes to the identity each
 * time, which has the cache, and rejects as that does (`invalid_argument` for no or several scopes),
 * or with an `AbortError`. With `enableCae` a bound token says that its client understands claims
 * challenges (`cp1`); for bearer tokens that is up to the identity's `clientCapabilities`.
 *
 * Unless `binding` is `bearer`, `token` isn't the token but stands for it: the token goes on the
 * wire through `httpClient` only, never as `Bearer` and never without its certificate.
 *
 * @example
 * ```ts
 * const client = new SecretClient(vault, tokenCredential(identity), {
 *   httpClient: httpClient(identity),
 * });
 * ```
 */
export function tokenCredential<Wish extends BindingWish = "mtls_pop">(
  identity: AzureIdentity<Wish>,
  options: TokenCredentialOptions<Wish> = {},
): AzureTokenCredential {
  const { additionallyAllowedTenants = [] } = options;
  const binding: BindingWish = options.binding ?? "mtls_pop";
  const allowed = additionallyAllowedTenants.map((tenant) => tenant.toLowerCase());
  const isAllowed = (tenant: string) =>
    allowed.includes("*") || allowed.includes(tenant.toLowerCase());

  return {
    async getToken(scopes, asked = {}) {
      const resource = resourceOf(scopes);
      const { abortSignal, requestOptions, claims, enableCae: cae = false } = asked;
      const hint = asked.tenantId;
      const tenant = hint !== undefined && isAllowed(hint) ? { tenantId: hint } : {};
      const linked = linkedSignal(abortSignal, requestOptions?.timeout);
      try {
        const token = await identity.getToken({
          resource,
          binding: binding as Wish,
          ...tenant,
          ...(claims === undefined ? {} : { claims }),
          ...(cae && binding === "mtls_pop" ? { clientClaims: CAE_CLAIMS } : {}),
          signal: linked.signal,
        });
        const { accessToken, expiresOn: expiresOnTimestamp, refreshOn } = token;
        return {
          token: binding === "bearer"
            ? accessToken
            : writeReference({ resource, binding, ...tenant, ...(cae ? { cae } : {}) }),
          expiresOnTimestamp,
          ...(refreshOn === undefined ? {} : { refreshAfterTimestamp: refreshOn }),
          tokenType: "Bearer",
        };
      } catch (error) {
        throw linked.signal.aborted ? abortError(linked.signal.reason) : error;
      } finally {
        linked.release();
      }
    },
  };
}

function resourceOf(scopes: string | readonly string[]): string {
  const [scope, ...others] = typeof scopes === "string" ? [scopes] : scopes;
  if (scope === undefined || scope === "" || others.length > 0) {
    throw new KeyboundError(
      "invalid_argument",
      `Ask for one scope at a time, https://vault.azure.net${DEFAULT} for example.`,
    );
  }
  return scope.endsWith(DEFAULT) ? scope.slice(0, -DEFAULT.length) : scope;
}
