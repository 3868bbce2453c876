/**
 * A resource that takes bound tokens over the connection they are bound to, and, where the state
 * says so, unbound ones over any; never a bound token as if it were unbound.
 *
 * Any path answers `{sub, thumbprint, path, method, bytes}`, with a `thumbprint` of null for a
 * bearer token; `/echo` sends the request's body back as it comes, of any size.
 *
 * @module
 */

import { pipeline } from "node:stream/promises";
import type { Core } from "./core.ts";
import type { Exchange, Handler, Reply } from "./exchange.ts";
import { sameText } from "./same_text.ts";

/** Who a request comes from, or why it is refused and what scheme would do. */
export type Access = { readonly subject: string; readonly thumbprint: string | null } | {
  readonly reason: string;
  readonly scheme: "mtls_pop" | "Bearer";
};

/** Handler of everything on the resource server. */
export function resourceServer(core: Core): Handler {
  return async (exchange) => {
    const access = await authorize(core, exchange);
    if ("reason" in access) return unauthorized(access.scheme, access.reason);
    const { request, path, method } = exchange;
    if (path === "/echo") {
      return {
        status: 200,
        headers: { "content-type": exchange.headers["content-type"] ?? "application/octet-stream" },
        stream: (response) => pipeline(request, response),
      };
    }
    let bytes = 0;
    for await (const chunk of request) bytes += (chunk as Uint8Array).length;
    const { subject, thumbprint } = access;
    return { status: 200, json: { sub: subject, thumbprint, path, method, bytes } };
  };
}

/** Who a request comes from, by its token and, for a bound one, its certificate. */
export async function authorize(core: Core, exchange: Exchange): Promise<Access> {
  const [given, token, ...rest] = (exchange.headers.authorization ?? "").split(" ");
  const bearer = given?.toLowerCase() === "bearer" && core.state.acceptBearer;
  const scheme = bearer ? "Bearer" : "mtls_pop";
  const boundOnly = { reason: "An mtls_pop token is required", scheme: "mtls_pop" } as const;
  if ((!bearer && given?.toLowerCase() !== "mtls_pop") || !token || rest.length > 0) {
    return boundOnly;
  }
  const { peer } = exchange;
  if (!bearer && peer === undefined) {
    return { reason: "No client certificate was presented", scheme };
  }
  let payload;
  try {
    payload = await core.tokens.verify(token, core.now());
  } catch {
    return { reason: "The token is invalid or has expired", scheme };
  }
  const { aud, sub = "", cnf } = payload;
  if (bearer && cnf !== undefined) return boundOnly;
  const plain = (audience: string) => audience.replace(/\/$/, "");
  if (typeof aud !== "string" || !core.state.audiences.map(plain).includes(plain(aud))) {
    return { reason: "The token is for another audience", scheme };
  }
  if (bearer || peer === undefined) return { subject: sub, thumbprint: null };
  const bound = (cnf as { "x5t#S256"?: unknown } | undefined)?.["x5t#S256"];
  if (typeof bound !== "string" || !sameText(bound, peer.thumbprint)) {
    return { reason: "The token is not bound to the client certificate presented", scheme };
  }
  return { subject: sub, thumbprint: peer.thumbprint };
}

function unauthorized(scheme: string, reason: string): Reply {
  return {
    status: 401,
    headers: {
      "www-authenticate": `${scheme} error="invalid_token", error_description="${reason}"`,
    },
    json: { error: "invalid_token", error_description: reason },
  };
}
