/**
 * A request to a resource server: token and binding together, as one pair.
 *
 * @module
 */

import type { BindingDependencies, BindingRequest, FlightContext } from "./binding/context.ts";
import { healBinding } from "./binding/heal.ts";
import { checkKey } from "./binding/key.ts";
import { prove } from "./binding/obtain.ts";
import { isAlive } from "./binding/probe.ts";
import { KeyboundError } from "./errors.ts";
import { healCause } from "./policy/healing.ts";
import type { TokenResult } from "./token/cache.ts";
import { claimsChallenge } from "./token/challenge.ts";
import { wireError } from "./wire_error.ts";

/** What a bound fetch needs of the identity. */
export interface BoundFetchOptions {
  /** Backends and caches. */
  readonly dependencies: BindingDependencies;
  /** Which binding the tokens are bound to. */
  readonly request: BindingRequest;
  /** UUID of everything this fetch sets off. */
  readonly correlationId: string;
  /** A token; a new one where claims are given. */
  readonly getToken: (claims?: string) => Promise<TokenResult>;
}

/** Hosts of Azure Key Vault, which wants to be told that the token is bound. */
const KEY_VAULT = /\.(?:vault|managedhsm)(?:\.azure\.(?:net|cn)|\.usgovcloudapi\.net)$/;

/** Sends one request and answers a claims challenge or a dead key once. */
export class BoundFetch {
  readonly #options: BoundFetchOptions;

  /** A fetch with these tokens. */
  constructor(options: BoundFetchOptions) {
    this.#options = options;
  }

  /**
   * The resource server's answer. `again` makes the request anew where its body can be sent twice;
   * without it there is one attempt only.
   *
   * Rejects as `getToken` does, with the code of a failure on the wire, or the request signal's
   * reason.
   */
  async send(request: Request, again?: () => Request): Promise<Response> {
    const token = await this.#provenToken(request.signal);
    let response: Response;
    try {
      response = await this.#attempt(request, token);
    } catch (error) {
      request.signal.throwIfAborted();
      const healed = await this.#healed(token, error, request.signal);
      if (again === undefined || !healed) throw error;
      return await this.#attempt(again(), await this.#provenToken(request.signal));
    }
    const claims = response.status === 401
      ? claimsChallenge(response.headers.get("www-authenticate"))
      : undefined;
    if (claims === undefined || again === undefined) return response;
    response.body?.cancel().catch(() => {});
    return await this.#attempt(again(), await this.#options.getToken(claims));
  }

  /** A token whose key signed recently: healing rule 1 for what goes on the wire. */
  async #provenToken(signal: AbortSignal): Promise<TokenResult> {
    const { dependencies, request, getToken } = this.#options;
    const token = await getToken();
    const proven = await prove(dependencies, request, token.binding, this.#context(signal));
    return proven.reminted ? await getToken() : token;
  }

  /**
   * Sends the very request that was made: on Node, a copy of it would stop following the caller's
   * signal as soon as the original is garbage.
   */
  async #attempt(request: Request, token: TokenResult): Promise<Response> {
    const { dependencies: { transports }, request: demands } = this.#options;
    const { credential } = token.binding;
    authorize(request, token);
    try {
      return await checkKey(credential.key, demands, transports).fetch(request, credential);
    } catch (error) {
      request.signal.throwIfAborted();
      throw wireError(error, "resource", this.#context(request.signal));
    }
  }

  /** After a failure that speaks against the credential: whether its key was to blame. */
  async #healed({ binding }: TokenResult, error: unknown, signal: AbortSignal): Promise<boolean> {
    const { dependencies, request } = this.#options;
    if (!(error instanceof KeyboundError) || healCause(error.code) === undefined) return false;
    const context = this.#context(signal);
    if (await isAlive(binding.credential.key, "suspect", dependencies, context)) return false;
    await healBinding(dependencies, request, binding, "key_dead", context);
    return true;
  }

  #context(signal: AbortSignal): FlightContext {
    const { dependencies, request, correlationId } = this.#options;
    return { ...dependencies.begin(request.alias, correlationId), signal };
  }
}

/** Gives a request its token. An `Authorization` header of the caller's gives way. */
function authorize({ headers, url }: Request, { tokenType, accessToken }: TokenResult): void {
  headers.set("Authorization", `${tokenType} ${accessToken}`);
  if (KEY_VAULT.test(new URL(url).hostname) && !headers.has("x-ms-tokenboundauth")) {
    headers.set("x-ms-tokenboundauth", "true");
  }
}

/**
 * A request that may carry a token and, where its body can be sent twice, a way to make it again.
 * Throws `invalid_argument` for what is no request or goes anywhere but over https.
 */
export function boundRequest(
  input: string | URL | Request,
  init: RequestInit,
): [request: Request, again?: () => Request] {
  const make = () => new Request(input, { ...init, redirect: "manual" });
  let request: Request;
  try {
    request = make();
  } catch {
    // Without its cause: the runtime's error quotes the URL, which may hold a secret.
    throw new KeyboundError("invalid_argument", "The URL or the request's options aren't valid.");
  }
  if (!request.url.startsWith("https:")) {
    throw new KeyboundError("invalid_argument", "A bound token is only ever sent over https.");
  }
  const body = init.body ?? (input instanceof Request ? input.body : undefined) ?? "";
  const isRepeatable = typeof body === "string" || ArrayBuffer.isView(body) ||
    [ArrayBuffer, Blob, FormData, URLSearchParams].some((type) => body instanceof type);
  return isRepeatable ? [request, make] : [request];
}
