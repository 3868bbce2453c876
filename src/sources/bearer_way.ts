/**
 * The way to bearer tokens: what is asked, what is kept and for how long.
 *
 * @module
 */

import type { IdentityParts } from "../managed_identity_options.ts";
import type { FlightContext } from "../binding/context.ts";
import { hex, utf8 } from "../encoding.ts";
import { KeyboundError } from "../errors.ts";
import type { TokenOptions } from "../managed_identity_options.ts";
import { EXPIRY_MARGIN, jitteredRefresh } from "../policy/token_life.ts";
import { mergeClaims } from "../token/claims.ts";
import { normalizeResource } from "../token/request.ts";
import type { BearerToken } from "../token/result.ts";
import type { TokenWay } from "../token/tokens.ts";
import type { BearerAnswer, ManagedIdentitySources } from "./source.ts";

/** A token that says to live longer is returned, but not kept (protocol.md section 6.7). */
const LONGEST_LIFE = 10 * 365 * 24 * 3_600_000;

/** Most query parameters of a caller's own. */
const MAX_PARAMETERS = 32;

/** The way to the bearer tokens that these sources give. */
export function bearerWay(
  { dependencies, options, tokens }: IdentityParts,
  sources: ManagedIdentitySources,
): TokenWay<TokenOptions, BearerToken> {
  const { clock, crypto, identity, random } = dependencies;
  const { clientCapabilities: capabilities = [] } = options;

  /** Keeps what was asked for by this number, if there is enough life in it. */
  const keep = (cacheKey: string, token: BearerToken, asked: number) => {
    const now = clock.now();
    const { expiresOn, refreshOn } = token;
    const staleAt = expiresOn - EXPIRY_MARGIN;
    if (now >= staleAt || expiresOn - now > LONGEST_LIFE) return;
    const refreshAt = refreshOn === undefined
      ? Infinity
      : jitteredRefresh(refreshOn, now, random());
    tokens.cache.set(cacheKey, token, asked, { receivedOn: now, staleAt, refreshAt });
  };

  return {
    cacheKey: bearerCacheKey,
    alias: () => `${identity.name}#bearer`,
    acquirer({ resource, claims, extraQueryParameters }, cacheKey) {
      // No source takes the claims themselves, but what isn't JSON is a mistake all the same.
      mergeClaims([], claims);
      const revoked = claims === undefined
        ? undefined
        : tokens.cache.get(cacheKey, clock.now())?.promise;
      return async (context) => {
        const [asked, askedOn] = [tokens.cache.ask(), clock.now()];
        const answer = await sources.token({
          identity,
          resource: normalizeResource(resource),
          capabilities,
          extraQueryParameters,
          revokedTokenHash: revoked && await hashOf((await revoked).accessToken, crypto),
          correlationId: context.correlationId,
          signal: context.signal,
          onRetry: (retry) => context.emit({ type: "retry", endpoint: "source", ...retry }),
        });
        const token = bearerToken(answer, context);
        keep(cacheKey, token, asked);
        const duration = clock.now() - askedOn;
        context.emit({ type: "token", duration, expiresOn: token.expiresOn });
        return token;
      };
    },
  };
}

/**
 * Everything that one identity's bearer tokens differ by. Begins as no bound token's key does,
 * since a resource has no spaces.
 *
 * Throws `invalid_argument` for what only a bound token can meet.
 */
export function bearerCacheKey(asked: TokenOptions): string {
  const { resource, attest, minStrength, clientClaims, extraQueryParameters = {} } = asked;
  if (attest === true || minStrength !== undefined || clientClaims !== undefined) {
    throw new KeyboundError(
      "invalid_argument",
      "'attest', 'minStrength' and 'clientClaims' are for bound tokens. Ask for 'mtls_pop', or leave them out.",
    );
  }
  const parameters = Object.entries(extraQueryParameters);
  const isText = (text: unknown) =>
    typeof text === "string" && /^[^\p{Cc}\p{Cs}]{0,2048}$/u.test(text);
  if (parameters.length > MAX_PARAMETERS || !parameters.flat().every(isText)) {
    throw new KeyboundError(
      "invalid_argument",
      `'extraQueryParameters' must be at most ${MAX_PARAMETERS} names and values of plain text.`,
    );
  }
  const sorted = parameters.sort(([a], [b]) => a < b ? -1 : 1);
  return ` bearer\n${normalizeResource(resource)}\n${
    sorted.length === 0 ? "" : JSON.stringify(sorted)
  }`;
}

function bearerToken(answer: BearerAnswer, { correlationId }: FlightContext): BearerToken {
  const { accessToken, expiresOn, refreshOn, source } = answer;
  return Object.freeze({
    accessToken,
    tokenType: "Bearer",
    expiresOn,
    ...(refreshOn === undefined ? {} : { refreshOn }),
    source,
    fromCache: false,
    correlationId,
  });
}

/** Lower-case hex SHA-256, as Service Fabric wants to know which token was revoked. */
async function hashOf(
  token: string,
  crypto: IdentityParts["dependencies"]["crypto"],
): Promise<string> {
  return hex(new Uint8Array(await crypto.subtle.digest("SHA-256", utf8(token))));
}
