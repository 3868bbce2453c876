/**
 * An application as Entra knows it, with tokens bound to its certificate.
 *
 * @module
 */

import { boundRequest } from "../bound_fetch.ts";
import { systemClock } from "../clock.ts";
import { KeyboundError } from "../errors.ts";
import { metadataBase } from "../imds/endpoint.ts";
import { Identifier, parse } from "../parse.ts";
import { REMINT_COOLDOWN } from "../policy/healing.ts";
import { mergeClaims } from "../token/claims.ts";
import { Throttle } from "../token/throttle.ts";
import { Tokens, type TokenWay } from "../token/tokens.ts";
import { acquireEntraToken, assertionQuestion, type EntraDependencies } from "./acquire.ts";
import type { EntraTokenRequest } from "./acquire.ts";
import { assertTenanted, type Authority, parseAuthority, withTenant } from "./authority.ts";
import { assertMtlsHost } from "./clouds.ts";
import { Credentials } from "./credentials.ts";
import { entraFetch } from "./fetch.ts";
import type {
  ConfidentialClient,
  ConfidentialClientOptions,
  EntraBindingWish,
  EntraToken,
  EntraTokenOptions,
} from "./options.ts";
import { type ProofSource, proofSource } from "./proof.ts";
import { RegionDiscovery } from "./region_discovery.ts";
import { assertFmiPath, scopeOf } from "./request.ts";

/**
 * An application that proves itself with a certificate, or with tokens of another identity.
 *
 * Throws `Client_Credentials_Required_In_Confidential_Client_Application`,
 * `mtls_certificate_not_provided` for a credential that no certificate can come from,
 * `invalid_credential_material` for `sendCertificateOverMtls` without a certificate,
 * `invalid_managed_identity_endpoint`, and `invalid_argument` for other options that can't be right.
 *
 * @example
 * ```ts
 * import { confidentialClient, pemCredential } from "keybound/entra";
 * import { detect } from "keybound/detect";
 *
 * const client = confidentialClient({
 *   ...await detect(),
 *   clientId: "f62c5ae3-bf3a-4af5-afa8-a68b800396e9",
 *   authority: "https://login.microsoftonline.com/contoso.com",
 *   credential: pemCredential(await readFile("client.pem", "utf8")),
 * });
 * const { accessToken, binding } = await client.getToken({
 *   scope: "https://vault.azure.net/.default",
 * });
 * ```
 */
export function confidentialClient(options: ConfidentialClientOptions): ConfidentialClient {
  const source = proofSource(options.credential);
  const { sendCertificateOverMtls = false, clientCapabilities = [], environment = {} } = options;
  const isAlwaysOverMtls = sendCertificateOverMtls ||
    (source.kind === "assertion" && source.isBound);
  assertCertificateFor(sendCertificateOverMtls, source);
  const home = parseAuthority(options.authority);
  const clientId = parse(Identifier, options.clientId);
  if (clientId === undefined) {
    throw new KeyboundError("invalid_argument", "'clientId' must be the application's id.");
  }
  const { clock = systemClock(), crypto = globalThis.crypto, random = Math.random } = options;
  const { fetch = (input, init) => globalThis.fetch(input, init), onEvent } = options;
  const { tokenTimeout = 30_000, remintCooldown = REMINT_COOLDOWN } = options;
  const { tokenCacheSize = 10_000 } = options;
  for (const [name, value] of Object.entries({ tokenTimeout, remintCooldown, tokenCacheSize })) {
    if (Number.isFinite(value) && value > 0) continue;
    throw new KeyboundError("invalid_argument", `'${name}' must be a positive number.`);
  }

  const tokens = new Tokens<EntraToken>(tokenCacheSize, { clock, crypto, onEvent });
  const retire = (thumbprint: string) => {
    for (const transport of options.transports) transport.retire(thumbprint);
  };
  const credentials = new Credentials({
    source,
    clock,
    cooldown: remintCooldown,
    onRotate(thumbprint) {
      retire(thumbprint);
      tokens.cache.expedite(thumbprint);
    },
    onEvict(thumbprint) {
      retire(thumbprint);
      return tokens.cache.evict(thumbprint);
    },
  });
  const region = new RegionDiscovery({
    configured: options.region,
    environment,
    base: metadataBase(environment),
    fetch,
    clock,
    random,
  });
  const dependencies: EntraDependencies = {
    clientId,
    credentials,
    sendCertificateOverMtls,
    isAlwaysOverMtls,
    region,
    clientCapabilities,
    transports: options.transports,
    fetch,
    clock,
    random,
    crypto,
    tokenTimeout,
    tokenTlsVersion: options.tokenTlsVersion ?? "TLSv1.2",
    throttle: new Throttle(),
    tokens: tokens.cache,
  };

  const authorityOf = ({ tenantId }: EntraTokenOptions): Authority =>
    tenantId === undefined ? home : withTenant(home, tenantId);

  /** Everything that can be known to be wrong is found here. */
  const requestOf = (asked: EntraTokenOptions, cacheKey: string): EntraTokenRequest => {
    const { claims, clientClaims, fmiPath } = asked;
    const wish = wishOf(asked);
    const authority = authorityOf(asked);
    assertTenanted(authority);
    if (wish === "mtls_pop" || isAlwaysOverMtls) assertMtlsHost(authority);
    const merged = mergeClaims(clientCapabilities, clientClaims, claims);
    return { cacheKey, authority, wish, scope: scopeOf(asked), claims: merged, fmiPath };
  };

  const way: TokenWay<EntraTokenOptions, EntraToken> = {
    cacheKey(asked) {
      const { fmiPath, clientClaims } = asked;
      assertFmiPath(fmiPath);
      // Only the last part may hold a line feed.
      const { tenant } = authorityOf(asked);
      return [wishOf(asked), tenant, scopeOf(asked), fmiPath, clientClaims].join("\n");
    },
    alias: (asked) => `${clientId}@${authorityOf(asked).tenant}`,
    acquirer(asked, cacheKey) {
      const request = requestOf(asked, cacheKey);
      return (context) => acquireEntraToken(dependencies, request, context);
    },
  };

  return {
    getToken<Wish extends EntraBindingWish>(
      asked: EntraTokenOptions<Wish>,
    ): Promise<EntraToken<Wish>> {
      try {
        return tokens.get(way, asked) as Promise<EntraToken<Wish>>;
      } catch (error) {
        return Promise.reject(error);
      }
    },
    async fetch(input, init) {
      const made = boundRequest(input, init);
      const [{ signal }] = made;
      const { correlationId = crypto.randomUUID() } = init;
      const asked = { ...init, signal, correlationId };
      const context = { ...tokens.begin(way.alias(asked), correlationId), signal };
      const question = assertionQuestion(dependencies, requestOf(asked, ""), context);
      return await entraFetch(made, {
        ...dependencies,
        crypto,
        callerSignal: init.signal === undefined && input instanceof Request
          ? input.signal
          : init.signal ?? undefined,
        context,
        getToken: (claims) => tokens.get(way, { ...asked, claims } as EntraTokenOptions),
        replace: async (dead) =>
          await credentials.another(dead, "key_dead", question, context) !== undefined,
      });
    },
    close() {
      const reason = new KeyboundError("closed", "This client has been closed. Make a new one.");
      for (const each of [tokens, credentials, region]) each.abortAll(reason);
      return Promise.resolve();
    },
  };
}

function assertCertificateFor(sendCertificateOverMtls: boolean, { kind }: ProofSource): void {
  if (!sendCertificateOverMtls || kind === "certificate") return;
  throw new KeyboundError(
    "invalid_credential_material",
    "'sendCertificateOverMtls' needs a certificate of the client's own as 'credential'.",
  );
}

function wishOf({ binding = "mtls_pop" }: EntraTokenOptions): EntraBindingWish {
  if (binding === "mtls_pop" || binding === "bearer") return binding;
  throw new KeyboundError("invalid_argument", "'binding' must be 'mtls_pop' or 'bearer'.");
}
