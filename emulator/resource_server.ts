/**
 * A resource that takes bound tokens only, and only over the connection they are bound to.
 *
 * Any path answers `{sub, thumbprint, path, method, bytes}`; `/echo` sends the request's body back
 * as it comes, of any size.
 *
 * @module
 */

import { timingSafeEqual } from "node:crypto";
import { pipeline } from "node:stream/promises";
import type { Core } from "./core.ts";
import type { Exchange, Handler, Reply } from "./exchange.ts";

/** Who a request comes from, or why it is refused. */
type Access = { readonly subject: string; readonly thumbprint: string } | {
  readonly reason: string;
};

/** Handler of everything on the resource server. */
export function resourceServer(core: Core): Handler {
  return async (exchange) => {
    const access = await authorize(core, exchange);
    if ("reason" in access) return unauthorized(access.reason);
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

async function authorize(core: Core, exchange: Exchange): Promise<Access> {
  const [scheme, token, ...rest] = (exchange.headers.authorization ?? "").split(" ");
  if (scheme?.toLowerCase() !== "mtls_pop" || !token || rest.length > 0) {
    return { reason: "An mtls_pop token is required" };
  }
  const { peer } = exchange;
  if (peer === undefined) return { reason: "No client certificate was presented" };
  let payload;
  try {
    payload = await core.tokens.verify(token, core.now());
  } catch {
    return { reason: "The token is invalid or has expired" };
  }
  const { aud, sub, cnf } = payload;
  const plain = (audience: string) => audience.replace(/\/$/, "");
  if (typeof aud !== "string" || !core.state.audiences.map(plain).includes(plain(aud))) {
    return { reason: "The token is for another audience" };
  }
  const bound = (cnf as { "x5t#S256"?: unknown } | undefined)?.["x5t#S256"];
  if (typeof bound !== "string" || !equalText(bound, peer.thumbprint)) {
    return { reason: "The token is not bound to the client certificate presented" };
  }
  return { subject: sub ?? "", thumbprint: peer.thumbprint };
}

function unauthorized(reason: string): Reply {
  return {
    status: 401,
    headers: {
      "www-authenticate": `mtls_pop error="invalid_token", error_description="${reason}"`,
    },
    json: { error: "invalid_token", error_description: reason },
  };
}

/** Whether both texts are the same; the time taken depends on their lengths alone. */
function equalText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
