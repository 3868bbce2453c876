/**
 * Certificate-bound tokens (RFC 8705) with `oauth4webapi` and `openid-client`: they speak OAuth, this
 * presents the key. Neither package is loaded from here.
 *
 * @example
 * ```ts
 * import * as oauth from "oauth4webapi";
 * import { customFetch } from "keybound/oauth4webapi";
 *
 * const mtls = { [oauth.customFetch]: customFetch({ credential, transports }) };
 * const client = { client_id: "my-service", use_mtls_endpoint_aliases: true };
 * const response = await oauth.clientCredentialsGrantRequest(
 *   as,
 *   client,
 *   oauth.TlsClientAuth(),
 *   { scope: "orders.read" },
 *   mtls,
 * );
 * ```
 *
 * @module
 */

import { KeyboundError } from "../../src/errors.ts";
import { MtlsSender, type MtlsSettings } from "../mtls/sender.ts";

export type { MtlsSettings } from "../mtls/sender.ts";
export type { CredentialSource } from "../../src/rfc8705/options.ts";

/** What the libraries pass beside the URL. */
export interface CustomFetchInit {
  /** HTTP method. */
  readonly method: string;
  /** Request headers. */
  readonly headers: Readonly<Record<string, string>>;
  /** Body of the request. */
  readonly body?:
    | ArrayBuffer
    | ReadableStream
    | Uint8Array
    | URLSearchParams
    | string
    | null
    | undefined;
  /** `half` where the body is a stream. */
  readonly duplex?: "half" | undefined;
  /** They deal with redirects themselves: by refusing them. */
  readonly redirect?: "manual" | undefined;
  /** Ends the request, the response's body included. */
  readonly signal?: AbortSignal | undefined;
}

/** Fits `[oauth.customFetch]` of oauth4webapi 3 and `[client.customFetch]` of openid-client 6. */
export type CustomFetch = (url: string, init: CustomFetchInit) => Promise<Response>;

/**
 * A `customFetch` that sends every request, also those for metadata and keys, over mutual TLS with
 * this credential: so point it only at an authorization server, and resource servers, that may see
 * the certificate. Redirects are never followed.
 *
 * It rejects with a {@linkcode KeyboundError}: `invalid_argument` for a URL that isn't https,
 * `invalid_certificate` for a certificate that isn't in force, `transport_not_available` where no
 * transport takes its key, and the codes of a failure on the wire. Throws `invalid_argument` for
 * options that can't be right.
 */
export function customFetch(options: MtlsSettings): CustomFetch {
  const sender = new MtlsSender(options);
  return async (url, init) => {
    const { method, headers, body, duplex, signal } = init;
    const request: RequestInit & { readonly duplex?: "half" } = {
      method,
      headers: { ...headers },
      redirect: "manual",
      ...(body === undefined || body === null ? {} : { body: body as BodyInit }),
      ...(duplex === undefined ? {} : { duplex }),
      ...(signal === undefined ? {} : { signal }),
    };
    return await sender.send(requestTo(url, request));
  };
}

function requestTo(url: string, init: RequestInit): Request {
  try {
    return new Request(url, init);
  } catch {
    // Without its cause: the runtime's error quotes the URL, which may hold a secret.
    throw new KeyboundError("invalid_argument", "The URL or the request's options aren't valid.");
  }
}
