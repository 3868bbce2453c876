/**
 * A request to a resource server: token and binding together, as one pair.
 *
 * @module
 */

import type { BindingDependencies, BindingRequest } from "./binding/context.ts";
import { healBinding } from "./binding/heal.ts";
import { checkKey } from "./binding/key.ts";
import { prove } from "./binding/obtain.ts";
import { isAlive } from "./binding/probe.ts";
import { KeyboundError } from "./errors.ts";
import { healCause } from "./policy/healing.ts";
import { claimsChallenge } from "./token/challenge.ts";
import type { BoundToken } from "./token/result.ts";
import { wireError } from "./wire_error.ts";

/** What a bound fetch needs of the identity. */
export interface BoundFetchOptions {
  /** Backends and caches. */
  readonly dependencies: BindingDependencies;
  /** Which binding the tokens are bound to. */
  readonly demands: BindingRequest;
  /** UUID of everything this fetch sets off. */
  readonly correlationId: string;
  /** A token; a new one where claims are given. */
  readonly getToken: (claims?: string) => Promise<BoundToken>;
}

/** Hosts of Azure Key Vault, which wants to be told that the token is bound. */
const KEY_VAULT = /\.(?:vault|managedhsm)(?:\.azure\.(?:net|cn)|\.usgovcloudapi\.net)$/;

/**
 * The resource server's answer. A claims challenge or a dead key is dealt with once, where `again`
 * can make the request anew.
 *
 * Rejects as `getToken` does, with the code of a failure on the wire, or the request signal's
 * reason.
 */
export async function boundFetch(
  [request, again]: BoundRequest,
  { dependencies, demands, correlationId, getToken }: BoundFetchOptions,
): Promise<Response> {
  const { signal } = request;
  const context = { ...dependencies.begin(demands.alias, correlationId), signal };

  /** A token whose key signed recently: healing rule 1 for what goes on the wire. */
  const provenToken = async () => {
    const token = await getToken();
    const { reminted } = await prove(dependencies, demands, token.binding, context);
    return reminted ? await getToken() : token;
  };
  const attempt = async (bare: Request, token: BoundToken) => {
    const { credential } = token.binding;
    authorize(bare, token);
    try {
      const transport = checkKey(credential.key, demands, dependencies.transports);
      return await transport.fetch(bare, credential);
    } catch (error) {
      signal.throwIfAborted();
      throw wireError(error, "resource", context);
    }
  };

  const token = await provenToken();
  let response: Response;
  try {
    response = await attempt(request, token);
  } catch (error) {
    const isSuspect = error instanceof KeyboundError && healCause(error.code) !== undefined;
    const { key } = token.binding.credential;
    if (!isSuspect || await isAlive(key, "suspect", dependencies, context)) throw error;
    await healBinding(dependencies, demands, token.binding, "key_dead", context);
    if (again === undefined) throw error;
    return await attempt(again(), await provenToken());
  }
  const claims = response.status === 401
    ? claimsChallenge(response.headers.get("www-authenticate"))
    : undefined;
  if (claims === undefined || again === undefined) return response;
  response.body?.cancel().catch(() => {});
  return await attempt(again(), await getToken(claims));
}

/**
 * Gives a request its token; an `Authorization` header of the caller's gives way. The request
 * itself, not a copy: on Node, a copy would stop following the caller's signal as soon as the
 * original is garbage.
 */
export function authorize(
  { headers, url }: Request,
  { tokenType, accessToken }: Pick<BoundToken, "tokenType" | "accessToken">,
): void {
  headers.set("Authorization", `${tokenType} ${accessToken}`);
  if (KEY_VAULT.test(new URL(url).hostname) && !headers.has("x-ms-tokenboundauth")) {
    headers.set("x-ms-tokenboundauth", "true");
  }
}

/** A request that may carry a token and, where its body can be sent twice, a way to make it again. */
export type BoundRequest = readonly [request: Request, again?: () => Request];

/** Throws `invalid_argument` for what is no request or goes anywhere but over https. */
export function boundRequest(input: string | URL | Request, init: RequestInit): BoundRequest {
  const make = () => new Request(input, { ...init, redirect: "manual" });
  let request: Request;
  try {
    request = make();
  } catch {
    // Without its cause: the runtime's error quotes the URL, which may hold a secret.
    throw new KeyboundError("invalid_argument", "The URL or the request's options aren't valid.");
  }
  assertHttpsUrl(request.url);
  const body = init.body ?? (input instanceof Request ? input.body : undefined) ?? "";
  const isRepeatable = typeof body === "string" || ArrayBuffer.isView(body) ||
    [ArrayBuffer, Blob, FormData, URLSearchParams].some((type) => body instanceof type);
  return isRepeatable ? [request, make] : [request];
}

/** Throws `invalid_argument` for a URL that no token may go to. */
export function assertHttpsUrl(url: string): void {
  // Not every runtime refuses a user and a password in a URL.
  if (/^https:\/\/[^/@]+\//.test(url)) return;
  throw new KeyboundError("invalid_argument", "A token goes to plain https URLs only.");
}
