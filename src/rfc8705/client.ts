/**
 * A client of an authorization server, authenticated by certificate and holding tokens bound to it
 * (RFC 8705).
 *
 * @module
 */

import { boundRequest } from "../bound_fetch.ts";
import { systemClock } from "../clock.ts";
import { ClientCredential } from "../credential.ts";
import { KeyboundError } from "../errors.ts";
import { isInForce } from "../policy/renewal.ts";
import { Throttle } from "../token/throttle.ts";
import { Tokens, type TokenWay } from "../token/tokens.ts";
import type { MtlsTransport } from "../transports.ts";
import { type Acquirer, acquireToken } from "./acquire.ts";
import { boundFetch } from "./bound_fetch.ts";
import { Discovery } from "./discovery.ts";
import { givenServerMetadata } from "./metadata.ts";
import type {
  Rfc8705Client,
  Rfc8705ClientOptions,
  Rfc8705Token,
  Rfc8705TokenOptions,
} from "./options.ts";
import { queryKey, tokenQuery } from "./query.ts";
import { RefreshTokens } from "./refresh_tokens.ts";

/** Refresh tokens that are kept. */
const REFRESH_TOKENS = 1000;

/**
 * A client of the authorization server with this issuer or this metadata, by the grant
 * `client_credentials`, authenticated by `tls_client_auth` or `self_signed_tls_client_auth`: which
 * of the two is a matter of how the client is registered, on the wire they are the same.
 *
 * The certificate is shown to the issuer's host (its metadata is looked up there), to the endpoints
 * that its metadata names, and by `fetch` to the resource servers it is pointed at; to nobody else.
 *
 * Throws `invalid_argument`, or as `givenServerMetadata` does for metadata that can't be right.
 *
 * @example
 * ```ts
 * const client = rfc8705Client({
 *   issuer: "https://as.example.com",
 *   clientId: "my-service",
 *   credential: () => currentCredential,
 *   transports: [nodeTlsTransport()],
 * });
 * const { accessToken, binding } = await client.getToken({ scope: "orders.read" });
 * ```
 */
export function rfc8705Client(options: Rfc8705ClientOptions): Rfc8705Client {
  const { clientId, credential: source, onEvent, introspect = false } = options;
  const { transport: only, transports = only === undefined ? [] : [only] } = options;
  const { clock = systemClock(), crypto = globalThis.crypto, random = Math.random } = options;
  const { timeout = 30_000, metadataLife = 3_600_000, tokenCacheSize = 10_000 } = options;
  const { tlsVersion = "TLSv1.3" } = options;
  for (const [name, value] of Object.entries({ timeout, metadataLife, tokenCacheSize })) {
    if (Number.isFinite(value) && value > 0) continue;
    throw misused(`'${name}' must be a positive number.`);
  }
  if (typeof clientId !== "string" || !/^[\x20-\x7e]{1,2048}$/.test(clientId)) {
    throw misused("'clientId' must be what the authorization server calls this client.");
  }
  if (transports.length === 0 || (only !== undefined && options.transports !== undefined)) {
    throw misused("Either 'transports' or 'transport' must be given: what does the TLS.");
  }
  if (typeof source !== "function" && !(source instanceof ClientCredential)) {
    throw misused("'credential' must be a ClientCredential, or a function that gives one.");
  }

  const tokens = new Tokens<Rfc8705Token>(tokenCacheSize, { clock, crypto, onEvent });
  const acquirer: Acquirer = {
    clientId,
    introspect,
    endpoints: endpointSource(options, metadataLife),
    tokens: tokens.cache,
    refreshTokens: new RefreshTokens(REFRESH_TOKENS),
    throttle: new Throttle(),
  };

  const transportFor = ({ key }: ClientCredential): MtlsTransport => {
    const transport = transports.find((candidate) => candidate.accepts(key));
    if (transport !== undefined) return transport;
    throw new KeyboundError(
      "transport_not_available",
      `No transport takes key '${key.id}'. Pass one of its backend.`,
    );
  };

  let lastThumbprint: string | undefined;
  /** The credential to use now. Where it is a new one, what the old one had moves over to it. */
  const currentCredential = async (): Promise<ClientCredential> => {
    const credential = typeof source === "function" ? await source() : source;
    if (!(credential instanceof ClientCredential)) {
      throw misused("The function 'credential' must give a ClientCredential.");
    }
    if (!isInForce(credential.leaf, clock.now())) {
      throw new KeyboundError(
        "invalid_certificate",
        "The client's certificate isn't valid at this time. Renew it, or check this host's clock.",
      );
    }
    const { thumbprint } = credential;
    if (lastThumbprint !== undefined && lastThumbprint !== thumbprint) {
      for (const transport of transports) transport.retire(lastThumbprint);
      tokens.cache.expedite(lastThumbprint);
    }
    lastThumbprint = thumbprint;
    return credential;
  };

  const way: TokenWay<Rfc8705TokenOptions, Rfc8705Token> = {
    cacheKey: (asked) => queryKey(tokenQuery(asked)),
    alias: () => clientId,
    acquirer: (asked, cacheKey) => {
      const query = tokenQuery(asked);
      return async (context) => {
        const credential = await currentCredential();
        const transport = transportFor(credential);
        const link = { transport, credential, clock, random, timeout, tlsVersion };
        return await acquireToken(acquirer, link, query, cacheKey, context);
      };
    },
  };

  const getToken = (asked: Rfc8705TokenOptions = {}): Promise<Rfc8705Token> => {
    try {
      return tokens.get(way, asked);
    } catch (error) {
      return Promise.reject(error);
    }
  };

  return {
    getToken,
    async fetch(input, init = {}) {
      const { scope, resource, parameters, forceRefresh, correlationId, ...rest } = init;
      const made = boundRequest(input, rest);
      const [{ signal }] = made;
      const context = { ...tokens.begin(clientId, correlationId), signal };
      const asked: Rfc8705TokenOptions = {
        ...(scope === undefined ? {} : { scope }),
        ...(resource === undefined ? {} : { resource }),
        ...(parameters === undefined ? {} : { parameters }),
        correlationId: context.correlationId,
        signal,
      };
      let isFirst = true;
      return await boundFetch(made, {
        transportFor,
        context,
        getToken: (wanted) => {
          const force = wanted.forceRefresh ?? (isFirst && forceRefresh === true);
          isFirst = false;
          return getToken({ ...asked, forceRefresh: force });
        },
      });
    },
    close() {
      tokens.abortAll(new KeyboundError("closed", "This client has been closed. Make a new one."));
      return Promise.resolve();
    },
  };
}

/** Where the endpoints come from: the metadata given, or the issuer's. */
function endpointSource(
  { issuer, metadata }: Rfc8705ClientOptions,
  metadataLife: number,
): Acquirer["endpoints"] {
  if ((issuer === undefined) === (metadata === undefined)) {
    throw misused("Exactly one of 'issuer' and 'metadata' must be given.");
  }
  if (issuer !== undefined) {
    const discovery = new Discovery(issuer, metadataLife);
    return (link, context) => discovery.endpoints(link, context);
  }
  const endpoints = givenServerMetadata(metadata);
  return () => Promise.resolve(endpoints);
}

function misused(message: string): KeyboundError {
  return new KeyboundError("invalid_argument", message);
}
