/**
 * The way to a bound token: metadata, grant, confirmation. All of it with one credential.
 *
 * @module
 */

import type { FlightContext } from "../binding/context.ts";
import { withoutSecret } from "../echo.ts";
import { isKeyboundError, KeyboundError } from "../errors.ts";
import { jitteredRefresh } from "../policy/token_life.ts";
import type { TokenCache } from "../token/cache.ts";
import type { Throttle } from "../token/throttle.ts";
import { wireError } from "../wire_error.ts";
import { readBoundToken, readIntrospection, type ReadToken } from "./confirmation.ts";
import { servedLife } from "./life.ts";
import type { ServerEndpoints } from "./metadata.ts";
import type { Rfc8705Token } from "./options.ts";
import type { TokenQuery } from "./query.ts";
import type { RefreshTokens } from "./refresh_tokens.ts";
import { introspectionRequest, tokenRequest } from "./request.ts";
import { type GrantedToken, readGrant } from "./response.ts";
import { askServer, type ServerLink, SOURCES } from "./server.ts";

/** What all acquisitions of a client share. */
export interface Acquirer {
  /** The client as the server knows it. */
  readonly clientId: string;
  /** Whether opaque tokens are asked about. */
  readonly introspect: boolean;
  /** The server's endpoints. */
  readonly endpoints: (link: ServerLink, context: FlightContext) => Promise<ServerEndpoints>;
  /** Tokens so far. */
  readonly tokens: Pick<TokenCache<Rfc8705Token>, "ask" | "set">;
  /** Refresh tokens so far. */
  readonly refreshTokens: RefreshTokens;
  /** Questions that the server wants held back. */
  readonly throttle: Throttle;
}

/**
 * A token from the server; also kept in the cache.
 *
 * Rejects as `askServer`, `readGrant`, `readBoundToken` and `readIntrospection` do.
 */
export async function acquireToken(
  acquirer: Acquirer,
  link: ServerLink,
  query: TokenQuery,
  cacheKey: string,
  context: FlightContext,
): Promise<Rfc8705Token> {
  const { clock, credential, random } = link;
  const askedOn = clock.now();
  acquirer.throttle.check(cacheKey, askedOn);
  const endpoints = await acquirer.endpoints(link, context);
  const asked = acquirer.tokens.ask();
  const { token, refreshToken } = await grant(acquirer, link, endpoints, query, cacheKey, context);
  const receivedOn = clock.now();
  const read = await confirm(acquirer, link, endpoints, query, token, context);
  context.signal.throwIfAborted();

  const { expiresIn, refreshIn, accessToken, tokenType } = token;
  const expiresOn = expiresIn === undefined ? read.expiresOn : receivedOn + expiresIn * 1000;
  const life = expiresOn === undefined ? undefined : servedLife({
    receivedOn,
    expiresOn,
    certificateEnd: credential.leaf.notAfter,
    refreshIn: refreshIn === undefined ? undefined : refreshIn * 1000,
  });
  const scope = token.scope ?? query.scope;
  const result: Rfc8705Token = Object.freeze({
    accessToken,
    tokenType,
    ...(expiresOn === undefined ? {} : { expiresOn }),
    ...(life === undefined ? {} : { refreshOn: life.refreshOn }),
    ...(scope === undefined ? {} : { scope }),
    binding: Object.freeze({ credential }),
    confirmed: read.confirmed,
    fromCache: false,
    correlationId: context.correlationId,
  });
  if (refreshToken !== undefined) {
    acquirer.refreshTokens.keep(cacheKey, refreshToken, credential.thumbprint);
  }
  if (life !== undefined && receivedOn < life.staleAt) {
    const refreshAt = jitteredRefresh(life.refreshOn, receivedOn, random());
    acquirer.tokens.set(cacheKey, result, asked, {
      receivedOn,
      refreshAt,
      staleAt: life.staleAt,
    });
  }
  context.emit({
    type: "token",
    duration: clock.now() - askedOn,
    expiresOn: expiresOn ?? receivedOn,
  });
  return result;
}

/**
 * A grant by refresh token where there is one, else by client credentials. A refresh token that the
 * server doesn't take any more is forgotten and the client's credentials do, once.
 */
async function grant(
  acquirer: Acquirer,
  link: ServerLink,
  { token: url }: ServerEndpoints,
  query: TokenQuery,
  cacheKey: string,
  context: FlightContext,
): Promise<{ token: GrantedToken; refreshToken: string | undefined }> {
  const ask = async (refreshToken?: string): Promise<GrantedToken> => {
    const make = (signal: AbortSignal) =>
      tokenRequest(url, acquirer.clientId, query, refreshToken, signal);
    const answer = withoutSecret(await askServer(link, "token", make, context), refreshToken);
    try {
      return readGrant(answer, context.correlationId);
    } catch (error) {
      acquirer.throttle.note(cacheKey, answer, link.clock.now(), error);
      throw error;
    }
  };
  const held = acquirer.refreshTokens.take(cacheKey, link.credential.thumbprint);
  if (held !== undefined) {
    try {
      const token = await ask(held);
      return { token, refreshToken: token.refreshToken ?? held };
    } catch (error) {
      if (!isKeyboundError(error, "invalid_grant")) throw error;
    }
  }
  const token = await ask();
  return { token, refreshToken: token.refreshToken };
}

/** What a client can find out about the token: from itself, or from the server that issued it. */
async function confirm(
  { clientId, introspect }: Acquirer,
  link: ServerLink,
  { introspection }: ServerEndpoints,
  { resources }: TokenQuery,
  { accessToken }: GrantedToken,
  context: FlightContext,
): Promise<ReadToken & { readonly confirmed: boolean }> {
  const { correlationId } = context;
  const { thumbprint } = link.credential;
  try {
    const read = readBoundToken(accessToken, thumbprint, resources);
    if (read !== undefined) return { ...read, confirmed: true };
  } catch (error) {
    throw wireError(error, "token", context);
  }
  if (!introspect) return { expiresOn: undefined, confirmed: false };
  if (introspection === undefined) {
    throw new KeyboundError(
      "invalid_server_metadata",
      "The token can't be asked about: the server's metadata names no introspection endpoint.",
      { correlationId, source: SOURCES.discovery },
    );
  }
  const make = (signal: AbortSignal) =>
    introspectionRequest(introspection, clientId, accessToken, signal);
  const answer = await askServer(link, "introspection", make, context);
  readIntrospection(withoutSecret(answer, accessToken), thumbprint, correlationId);
  return { expiresOn: undefined, confirmed: true };
}
