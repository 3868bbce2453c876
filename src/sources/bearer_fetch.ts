/**
 * A request to a resource server with a bearer token, or with whichever token the host has.
 *
 * @module
 */

import type { IdentityParts } from "../managed_identity_options.ts";
import { assertHttpsUrl, boundRequest } from "../bound_fetch.ts";
import { KeyboundError } from "../errors.ts";
import type { BoundRequestInit, TokenOptions } from "../managed_identity_options.ts";
import { parseUrl } from "../parse.ts";
import { claimsChallenge } from "../token/challenge.ts";
import type { TokenResult } from "../token/result.ts";

/** A `fetch` of a managed identity that has tokens of both kinds. */
export function bearerFetch(
  { own, dependencies: { crypto, fetch } }: IdentityParts,
  getToken: (asked: TokenOptions) => Promise<TokenResult<"preferred">>,
): (input: string | URL | Request, init: BoundRequestInit) => Promise<Response> {
  const send = async (
    request: Request,
    accessToken: string,
    { correlationId, signal }: TokenOptions,
  ) => {
    request.headers.set("Authorization", `Bearer ${accessToken}`);
    try {
      // On Node, the body would stop following the request's own signal once the request is garbage.
      return await fetch(request, signal && { signal });
    } catch (error) {
      signal?.throwIfAborted();
      throw unreachable(error, correlationId);
    }
  };

  return async (input, init) => {
    const { binding = "mtls_pop", correlationId = crypto.randomUUID() } = init;
    if (binding === "mtls_pop") return await own.fetch(input, init);
    const { forceRefresh, ...rest } = init;
    // A body can be read once, so that only who surely sends the request makes it.
    const early = binding === "bearer" ? boundRequest(input, init) : undefined;
    if (early === undefined) assertHttpsUrl(urlOf(input));
    const inherited = input instanceof Request ? input.signal : undefined;
    const signal = (init.signal === undefined ? inherited : init.signal) ?? undefined;
    const asked: TokenOptions = { ...rest, binding, signal, correlationId };
    const token = await getToken({ ...asked, forceRefresh });
    if (token.binding !== undefined) {
      return await own.fetch(input, { ...rest, binding: "mtls_pop", correlationId });
    }
    const [request, again] = early ?? boundRequest(input, init);
    const response = await send(request, token.accessToken, asked);
    const claims = response.status === 401
      ? claimsChallenge(response.headers.get("www-authenticate"))
      : undefined;
    if (claims === undefined || again === undefined) return response;
    response.body?.cancel().catch(() => {});
    const { accessToken } = await getToken({ ...asked, binding: "bearer", claims });
    return await send(again(), accessToken, asked);
  };
}

function urlOf(input: string | URL | Request): string {
  return input instanceof Request ? input.url : parseUrl(String(input))?.href ?? "";
}

/** Without its cause: the runtime's error may quote the URL, which may hold a secret. */
function unreachable(error: unknown, correlationId: string | undefined): KeyboundError {
  const { code } = (error as { cause?: { code?: unknown } } | undefined)?.cause ?? {};
  const known = typeof code === "string" && /^[A-Z_]{1,64}$/.test(code) ? ` (${code})` : "";
  return new KeyboundError(
    "network_unreachable",
    `The resource server can't be reached or isn't trusted by this runtime${known}.`,
    { retryable: true, correlationId, source: "Resource" },
  );
}
