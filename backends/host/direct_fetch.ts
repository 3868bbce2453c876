/**
 * A fetch that asks the host's own services directly, whatever proxy the environment names.
 *
 * Deno and Bun, and Node with `NODE_USE_ENV_PROXY`, send what is asked by plain http to the proxy that
 * `HTTP_PROXY` names: requests to the metadata service, which is another one where the proxy is, and
 * the secrets of sources on loopback.
 *
 * @module
 */

import { METADATA_HOST_VARIABLE } from "../../src/imds/endpoint.ts";
import { parseUrl } from "../../src/parse.ts";
import type { Environment } from "../../src/sources/source.ts";
import { openBody } from "../http/request_body.ts";

/** Options of {@linkcode directFetch}. */
export interface DirectFetchOptions {
  /** Sends what isn't asked directly. @default globalThis.fetch, as it is at each request */
  fetch?: typeof globalThis.fetch;
  /**
   * Environment variables; what those name that tell where the metadata service or a source is, is
   * asked directly wherever it is. @default {}
   */
  environment?: Environment;
}

/** Variables that name a service of this host (protocol.md sections 1.1, 7.1). */
const SERVICES = [METADATA_HOST_VARIABLE, "IDENTITY_ENDPOINT", "MSI_ENDPOINT"];

/** Methods that `fetch` doesn't send. */
const FORBIDDEN = /^(CONNECT|TRACE|TRACK)$/i;

/** Names of loopback (RFC 6761 section 6.3). */
const LOCAL_NAME = /(?:^|\.)localhost\.?$/;
/** Loopback and link-local, as a URL has them: 127.0.0.0/8, 169.254.0.0/16, ::1, fe80::/10. */
const LOCAL_ADDRESS =
  /^(?:127\.[\d.]+|169\.254\.[\d.]+|\[::1\]|\[fe[89ab][\da-f]:.*\]|\[::ffff:(?:7f[\da-f]{2}|a9fe):[\da-f]+\])$/;

function isLocal({ hostname }: URL): boolean {
  return LOCAL_NAME.test(hostname) || LOCAL_ADDRESS.test(hostname);
}

/**
 * A fetch that sends plain http to loopback, to link-local addresses and to the services that
 * `environment` names over connections of its own, never through a proxy; everything else, https
 * above all, by the fetch given.
 *
 * What it sends itself is as `fetch` has it, but for this: redirects aren't followed (with any
 * `redirect` but `manual` they are errors), each request has a connection of its own, bodies aren't
 * decoded, and `Response.url` is empty. Rejects with the signal's reason, `invalid_argument` for a
 * body that isn't as long as declared, `transport_not_available` where the runtime doesn't connect
 * as it is told (Bun before 1.4), a `TypeError` with a `cause` for every failure of the network.
 *
 * @example
 * ```ts
 * const environment = process.env;
 * const host = hostAccess();
 * const sources = managedIdentitySources({ environment, host, fetch: directFetch({ environment }) });
 * ```
 */
export function directFetch(options: DirectFetchOptions = {}): typeof globalThis.fetch {
  const { fetch = (input, init) => globalThis.fetch(input, init), environment = {} } = options;
  const services = new Set(
    SERVICES.map((variable) => parseUrl(environment[variable] ?? "")?.origin),
  );
  return async (input, init) => {
    const url = parseUrl(input instanceof Request ? input.url : String(input));
    const isDirect = url?.protocol === "http:" && (isLocal(url) || services.has(url.origin));
    if (!isDirect) return await fetch(input, init);
    const signal = signalOf(input, init) ?? new AbortController().signal;
    signal.throwIfAborted();
    // The signal is listened to here, with its own reason.
    const request = new Request(input, { ...init, signal: null });
    // Bun's Request takes them.
    if (FORBIDDEN.test(request.method)) throw new TypeError(`${request.method} can't be sent.`);
    const body = await openBody(request, signal);
    try {
      // Loaded with what they stand on when they are needed.
      const { DirectConnections } = await import("./direct_connections.ts");
      const { directExchange } = await import("./direct_exchange.ts");
      return await directExchange(request, body, new DirectConnections(), signal);
    } catch (error) {
      body.cancel(error);
      throw error;
    }
  };
}

function signalOf(
  input: string | URL | Request,
  init: RequestInit | undefined,
): AbortSignal | undefined {
  if (init?.signal !== undefined) return init.signal ?? undefined;
  return input instanceof Request ? input.signal : undefined;
}
