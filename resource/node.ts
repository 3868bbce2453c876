/**
 * Guards for servers of `node:http` and `node:https`, Express and its like included.
 *
 * @example
 * ```ts
 * import { createServer } from "node:https";
 * import { boundTokenListener } from "keybound/resource/node";
 *
 * const tls = { cert, key, requestCert: true, rejectUnauthorized: false };
 * createServer(tls, boundTokenListener((_request, response, { claims }) => {
 *   response.end(`Hello ${claims.sub}`);
 * }, { jwks, issuer, audience })).listen(8443);
 * ```
 *
 * @module
 */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { TLSSocket } from "node:tls";
import { authorize, type BoundAccess, type Presented } from "./authorize.ts";
import {
  certificateFromHeader,
  type CertificateHeader,
  checkCertificateHeader,
} from "./client_certificate.ts";
import { accessRules, type AccessSettings } from "./settings.ts";

/** Options of {@linkcode nodeBoundTokenGuard}. */
export interface NodeBoundTokenGuardOptions extends AccessSettings {
  /**
   * Where the client certificate is: `socket`, the connection's own, for a server that does TLS
   * itself and asks for one (`requestCert: true`); or the header of a proxy that terminates TLS.
   * @default "socket"
   */
  certificate?: "socket" | CertificateHeader<true | ((request: IncomingMessage) => boolean)>;
}

/** Lets a request in; where it doesn't, it has answered and gives `undefined`. */
export type NodeBoundTokenGuard = (
  request: IncomingMessage,
  response: ServerResponse,
) => Promise<BoundAccess | undefined>;

/**
 * DER of the certificate that the client of a TLS connection presented; `undefined` where there is
 * none. Whether an authority that the server trusts issued it, `socket.authorized` says; for bound
 * tokens that doesn't matter.
 *
 * Node and Deno tell, of resumed sessions too. Bun 1.4's `node:https` doesn't, so that every bound
 * token is refused there: put a proxy before it, and read the proxy's header.
 */
export function certificateOfSocket(socket: object): Uint8Array | undefined {
  const { getPeerCertificate } = socket as Partial<TLSSocket>;
  if (typeof getPeerCertificate !== "function") return undefined;
  const { raw } = (getPeerCertificate.call(socket) ?? {}) as { raw?: Uint8Array };
  return raw === undefined ? undefined : new Uint8Array(raw);
}

/**
 * A guard; it answers as `boundTokenGuard` does. Throws `invalid_argument` for settings that can't be
 * right.
 *
 * @example
 * ```ts
 * const guard = nodeBoundTokenGuard({ jwks, issuer, audience });
 * app.use(async (request, response, next) => {
 *   response.locals.access = await guard(request, response);
 *   if (response.locals.access !== undefined) next();
 * });
 * ```
 */
export function nodeBoundTokenGuard(options: NodeBoundTokenGuardOptions): NodeBoundTokenGuard {
  const rules = accessRules(options);
  const { certificate: source = "socket" } = options;
  if (source !== "socket") checkCertificateHeader(source);
  return async (request, response) => {
    const certificate: Presented["certificate"] = () => {
      if (source === "socket") return certificateOfSocket(request.socket);
      const { header, format, trustProxy } = source;
      const isTrusted = trustProxy === true ||
        (typeof trustProxy === "function" && trustProxy(request) === true);
      return isTrusted ? certificateFromHeader(headerOf(request, header), format) : undefined;
    };
    const decision = await authorize(rules, {
      authorization: headerOf(request, "authorization"),
      url: request.url ?? "",
      certificate,
    });
    if ("access" in decision) return decision.access;
    const { status, headers, body } = decision.refusal;
    response.writeHead(status, { ...headers });
    response.end(body);
    return undefined;
  };
}

/** A listener behind a {@linkcode nodeBoundTokenGuard}. What goes wrong in either is answered by 500. */
export function boundTokenListener(
  listener: (
    request: IncomingMessage,
    response: ServerResponse,
    access: BoundAccess,
  ) => void | Promise<void>,
  options: NodeBoundTokenGuardOptions & { onError?: (error: unknown) => void },
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const guard = nodeBoundTokenGuard(options);
  return async (request, response) => {
    try {
      const access = await guard(request, response);
      if (access !== undefined) await listener(request, response, access);
    } catch (error) {
      options.onError?.(error);
      if (response.headersSent) response.destroy();
      else response.writeHead(500).end();
    }
  };
}

/** All values of a header: `request.headers` shows the first and drops the others. */
function headerOf({ rawHeaders }: IncomingMessage, name: string): string | null {
  const values = rawHeaders.filter((_value, index) =>
    index % 2 === 1 && rawHeaders[index - 1]!.toLowerCase() === name.toLowerCase()
  );
  return values.length === 0 ? null : values.join(", ");
}
