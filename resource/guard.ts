/**
 * Guards for servers that take a `Request` and give a `Response`: Deno.serve, Bun.serve, Hono,
 * Workers.
 *
 * @module
 */

import { authorize, type BoundAccess, type Presented } from "./authorize.ts";
import {
  certificateFromHeader,
  type CertificateHeader,
  checkCertificateHeader,
} from "./client_certificate.ts";
import type { Refusal } from "./refusal.ts";
import { accessRules, type AccessSettings } from "./settings.ts";

/** Options of {@linkcode boundTokenGuard}. `Context` is what the server passes beside the request. */
export interface BoundTokenGuardOptions<Context extends unknown[] = unknown[]>
  extends AccessSettings {
  /**
   * The client certificate of a request: the header of the proxy that terminates TLS, or a function
   * that gives its DER from wherever the platform has it. There is no default: a header that a
   * client may send proves nothing.
   */
  certificate:
    | CertificateHeader<
      true | ((request: Request, ...context: Context) => boolean | Promise<boolean>)
    >
    | ((
      request: Request,
      ...context: Context
    ) => Uint8Array | undefined | Promise<Uint8Array | undefined>);
}

/** Lets a request in, or gives the response that it is refused with. */
export type BoundTokenGuard<Context extends unknown[] = unknown[]> = (
  request: Request,
  ...context: Context
) => Promise<BoundAccess | Response>;

/**
 * A guard. Answers 401 without an error where there is no token, 401 `invalid_token` where it won't
 * do, 400 `invalid_request` for a malformed request (RFC 6750 section 3), 503 where the
 * authorization server's keys can't be had. Tokens in the query are refused; tokens in a form body
 * are not looked for.
 *
 * Throws `invalid_argument` for settings that can't be right.
 *
 * @example
 * ```ts
 * const guard = boundTokenGuard(options);
 * app.use(async (c, next) => {
 *   const access = await guard(c.req.raw);
 *   if (access instanceof Response) return access;
 *   c.set("access", access);
 *   await next();
 * });
 * ```
 */
export function boundTokenGuard<Context extends unknown[] = unknown[]>(
  options: BoundTokenGuardOptions<Context>,
): BoundTokenGuard<Context> {
  const rules = accessRules(options);
  const { certificate: source } = options;
  if (typeof source !== "function") checkCertificateHeader(source);
  return async (request, ...context) => {
    const { headers, url } = request;
    const certificate: Presented["certificate"] = async () => {
      if (typeof source === "function") return await source(request, ...context);
      const { header, format, trustProxy } = source;
      const isTrusted = trustProxy === true ||
        (typeof trustProxy === "function" && await trustProxy(request, ...context) === true);
      return isTrusted ? certificateFromHeader(headers.get(header), format) : undefined;
    };
    const authorization = headers.get("authorization");
    const decision = await authorize(rules, { authorization, url, certificate });
    return "access" in decision ? decision.access : toResponse(decision.refusal);
  };
}

/**
 * A handler behind a {@linkcode boundTokenGuard}: it gets the request, its access, and what else the
 * server passes.
 */
export function requireBoundToken<Context extends unknown[] = unknown[]>(
  handler: (
    request: Request,
    access: BoundAccess,
    ...context: Context
  ) => Response | Promise<Response>,
  options: BoundTokenGuardOptions<Context>,
): (request: Request, ...context: Context) => Promise<Response> {
  const guard = boundTokenGuard(options);
  return async (request, ...context) => {
    const access = await guard(request, ...context);
    return access instanceof Response ? access : await handler(request, access, ...context);
  };
}

function toResponse({ status, headers, body }: Refusal): Response {
  return new Response(body ?? null, { status, headers: { ...headers } });
}
