/**
 * The way to a token of a confidential client: credential, endpoint, request, one healing.
 *
 * @module
 */

import type { FlightContext } from "../binding/context.ts";
import { KeyboundError } from "../errors.ts";
import { type HealCause, healCause } from "../policy/healing.ts";
import { EXPIRY_MARGIN, jitteredRefresh, refreshTime } from "../policy/token_life.ts";
import type { TokenCache } from "../token/cache.ts";
import type { TokenAnswer } from "../token/response.ts";
import type { Authority } from "./authority.ts";
import { loginTokenEndpoint, mtlsTokenEndpoint } from "./clouds.ts";
import type { AssertionQuestion, Credentials } from "./credentials.ts";
import { type EntraEndpoint, type EntraQuery, requestEntraToken } from "./endpoint.ts";
import { chooseMode, type Mode } from "./mode.ts";
import type { EntraBindingWish, EntraToken } from "./options.ts";
import type { Proof } from "./proof.ts";
import type { RegionDiscovery } from "./region_discovery.ts";

/** What all acquisitions of a client share. */
export interface EntraDependencies extends EntraEndpoint {
  /** What the client proves itself with. */
  readonly credentials: Credentials;
  /** Whether bearer tokens are asked for over mutual TLS with a certificate of the client's own. */
  readonly sendCertificateOverMtls: boolean;
  /** Whether no request goes to the login host. */
  readonly isAlwaysOverMtls: boolean;
  /** Which region's endpoint to use. */
  readonly region: RegionDiscovery;
  /** Client capabilities. */
  readonly clientCapabilities: readonly string[];
  /** Tokens so far. */
  readonly tokens: Pick<TokenCache<EntraToken>, "ask" | "set">;
}

/** One token wanted. */
export interface EntraTokenRequest extends EntraQuery {
  /** Whose endpoint to ask; already judged. */
  readonly authority: Authority;
  /** What the token is to be bound to. */
  readonly wish: EntraBindingWish;
}

/**
 * A token from the token endpoint; also kept in the cache.
 *
 * Rejects as `Credentials.current`, `chooseMode`, `mtlsTokenEndpoint` and `requestEntraToken` do.
 */
export async function acquireEntraToken(
  dependencies: EntraDependencies,
  request: EntraTokenRequest,
  context: FlightContext,
): Promise<EntraToken> {
  const { throttle, clock, credentials } = dependencies;
  const start = clock.now();
  throttle.check(request.cacheKey, start);
  const question = assertionQuestion(dependencies, request, context);
  const proof = await credentials.current(question, context);
  let result: EntraToken;
  try {
    result = await tokenFor(dependencies, request, proof, context);
  } catch (error) {
    const cause = refusalCause(error);
    if (proof.credential === undefined || cause === undefined) throw error;
    const other = await credentials.another(proof.credential, cause, question, context);
    if (other === undefined) throw error;
    result = await tokenFor(dependencies, request, other, context);
  }
  context.emit({ type: "token", duration: clock.now() - start, expiresOn: result.expiresOn });
  return result;
}

/**
 * Whether a failure speaks against the credential, and how. A key that doesn't sign is a dead one;
 * an assertion whose trust isn't set up (AADSTS70021 and 7002xx) isn't cured by another certificate.
 */
export function refusalCause(error: unknown): HealCause | undefined {
  if (!(error instanceof KeyboundError)) return undefined;
  const isUntrusted = error.errorCodes?.some((code) =>
    code === 70021 || (code >= 700200 && code <= 700299)
  );
  if (isUntrusted) return undefined;
  return healCause(error.code);
}

/** What an assertion for this request is asked with. */
export function assertionQuestion(
  dependencies: EntraDependencies,
  { authority, wish, claims, fmiPath }: EntraTokenRequest,
  context: FlightContext,
): AssertionQuestion {
  const { clientId, clientCapabilities, region, isAlwaysOverMtls } = dependencies;
  const endpoint = wish === "mtls_pop" || isAlwaysOverMtls ? mtlsTokenEndpoint : loginTokenEndpoint;
  return async () => {
    return {
      clientId,
      tenantId: authority.tenant,
      tokenEndpoint: endpoint(authority, await region.region(context)),
      clientCapabilities,
      ...(claims === undefined ? {} : { claims }),
      ...(fmiPath === undefined ? {} : { fmiPath }),
    };
  };
}

async function tokenFor(
  dependencies: EntraDependencies,
  request: EntraTokenRequest,
  proof: Proof,
  context: FlightContext,
): Promise<EntraToken> {
  const { tokens, region, clock, random, sendCertificateOverMtls } = dependencies;
  const mode = chooseMode(proof.kind, request.wish, sendCertificateOverMtls);
  const place = await region.region(context);
  const endpoint = mode.overMtls ? mtlsTokenEndpoint : loginTokenEndpoint;
  const url = endpoint(request.authority, place);
  const asked = tokens.ask();
  const answer = await requestEntraToken(dependencies, request, { mode, url, proof }, context);
  context.signal.throwIfAborted();
  const now = clock.now();
  const result = tokenResult(answer, mode, proof, now, context.correlationId);
  const { expiresOn, refreshOn, binding } = result;
  const end = binding?.credential.leaf.notAfter ?? Infinity;
  const staleAt = Math.min(expiresOn - EXPIRY_MARGIN, end);
  const refreshAt = refreshOn === undefined ? Infinity : jitteredRefresh(refreshOn, now, random());
  if (now < staleAt) {
    tokens.set(request.cacheKey, result, asked, { receivedOn: now, staleAt, refreshAt });
  }
  return result;
}

function tokenResult(
  { accessToken, expiresIn, refreshIn }: TokenAnswer,
  { tokenType }: Mode,
  { credential }: Proof,
  now: number,
  correlationId: string,
): EntraToken {
  const refreshOn = refreshTime({
    receivedOn: now,
    expiresIn: expiresIn * 1000,
    refreshIn: refreshIn && refreshIn * 1000,
  });
  const token = {
    accessToken,
    expiresOn: now + expiresIn * 1000,
    ...(refreshOn === undefined ? {} : { refreshOn }),
    fromCache: false,
    correlationId,
  };
  return tokenType === "mtls_pop" && credential !== undefined
    ? Object.freeze({ ...token, tokenType, binding: Object.freeze({ credential }) })
    : Object.freeze({ ...token, tokenType: "Bearer" });
}
