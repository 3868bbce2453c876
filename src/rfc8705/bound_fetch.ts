/**
 * A request to a resource server: token and certificate together, as one pair.
 *
 * @module
 */

import type { FlightContext } from "../binding/context.ts";
import type { BoundRequest } from "../bound_fetch.ts";
import { isKeyboundError } from "../errors.ts";
import type { MtlsTransport } from "../transports.ts";
import type { ClientCredential } from "../credential.ts";
import { wireError } from "../wire_error.ts";
import { isInvalidToken } from "./challenge.ts";
import type { Rfc8705Token } from "./options.ts";

/** What a bound fetch needs of the client. */
export interface BoundFetch {
  /** The transport for a credential. */
  readonly transportFor: (credential: ClientCredential) => MtlsTransport;
  /** A token; a new one where the one in memory won't do. */
  readonly getToken: (options: { readonly forceRefresh?: boolean }) => Promise<Rfc8705Token>;
  /** The acquisition that the request belongs to. */
  readonly context: FlightContext;
}

/**
 * The resource server's answer. Where it calls the token invalid, or the handshake shows that the
 * certificate has been withdrawn and has a successor, the request is made once more with a new
 * token, if `again` can.
 */
export async function boundFetch(
  [request, again]: BoundRequest,
  { transportFor, getToken, context }: BoundFetch,
): Promise<Response> {
  const attempt = async (bare: Request, { tokenType, accessToken, binding }: Rfc8705Token) => {
    // On the request itself: on Node, a copy would stop following the caller's signal as soon as
    // the original is garbage.
    bare.headers.set("Authorization", `${tokenType} ${accessToken}`);
    try {
      return await transportFor(binding.credential).fetch(bare, binding.credential);
    } catch (error) {
      context.signal.throwIfAborted();
      throw wireError(error, "resource", context);
    }
  };
  /** Not the refused one. Of many requests that were refused together, the first fetches it. */
  const successor = async (refused: Rfc8705Token) => {
    const current = await getToken({});
    return current.accessToken === refused.accessToken
      ? await getToken({ forceRefresh: true })
      : current;
  };

  const token = await getToken({});
  let response: Response;
  try {
    response = await attempt(request, token);
  } catch (error) {
    if (again === undefined || !isKeyboundError(error, "tls_credential_rejected")) throw error;
    const next = await successor(token);
    const { thumbprint } = next.binding.credential;
    if (thumbprint === token.binding.credential.thumbprint) throw error;
    return await attempt(again(), next);
  }
  const isRefused = response.status === 401 &&
    isInvalidToken(response.headers.get("www-authenticate"));
  if (!isRefused || again === undefined) return response;
  response.body?.cancel().catch(() => {});
  return await attempt(again(), await successor(token));
}
