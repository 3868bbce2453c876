/**
 * The network of an MSAL client whose token requests carry its certificate.
 *
 * @module
 */

import { systemClock } from "../../src/clock.ts";
import { isKeyboundError, KeyboundError } from "../../src/errors.ts";
import { type Answer, exchange } from "../../src/http.ts";
import { noRetryPolicy } from "../../src/policy/retry.ts";
import { MtlsSender, type MtlsSettings } from "../mtls/sender.ts";
import { mtlsEndpointOf } from "./endpoint.ts";

/** Options of {@linkcode mtlsNetwork}. */
export interface MtlsNetworkOptions extends MtlsSettings {
  /**
   * Highest TLS version towards the token endpoint, which is reported not to ask for the client
   * certificate under TLS 1.3. @default "TLSv1.2"
   */
  tlsVersion?: MtlsSettings["tlsVersion"];
  /** Milliseconds for a request, where MSAL sets no time. @default 30000 */
  timeout?: number;
  /** Plain fetch, for the discovery documents. @default globalThis.fetch */
  fetch?: typeof globalThis.fetch;
}

/** What MSAL passes beside the URL. */
export interface NetworkRequest {
  /** Request headers. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Body of the request. */
  readonly body?: string;
  /** Correlation id of MSAL's. */
  readonly correlationId?: string;
}

/** What MSAL gets; `Body` is what it expects of the server. */
export interface NetworkAnswer<Body> {
  /** Response headers, names in lower case. */
  headers: Record<string, string>;
  /** The parsed JSON. */
  body: Body;
  /** HTTP status. */
  status: number;
}

/** Fits `INetworkModule` of `@azure/msal-node`. */
export interface NetworkModule {
  /** Discovery, without a certificate. */
  sendGetRequestAsync<Body>(
    url: string,
    options?: NetworkRequest,
    timeout?: number,
  ): Promise<NetworkAnswer<Body>>;
  /** Token requests, never without a certificate. */
  sendPostRequestAsync<Body>(url: string, options?: NetworkRequest): Promise<NetworkAnswer<Body>>;
}

/**
 * A network module for `ConfidentialClientApplication`: its token requests go to the endpoint for
 * client certificates (`mtlsauth.*`) of the same cloud and region, over mutual TLS with this
 * credential, and its other requests, those for discovery documents, by plain fetch without it.
 *
 * MSAL knows nothing of bound tokens: what it asks for over this network are bearer tokens, from an
 * application that proves itself by certificate and assertion together. For bound tokens there is
 * `confidentialClient` of `keybound/entra`.
 *
 * Failures are MSAL's `AuthError`s, whose `errorCode` is the code of the {@linkcode KeyboundError}
 * that is their `cause`; MSAL would hide any other error.
 *
 * @example
 * ```ts
 * const app = new ConfidentialClientApplication({
 *   auth: { clientId, authority, clientAssertion: clientAssertion({ credential, overMtls: true }) },
 *   system: { networkClient: mtlsNetwork({ credential, transports }) },
 * });
 * ```
 */
export function mtlsNetwork(options: MtlsNetworkOptions): NetworkModule {
  const { timeout: patience = 30_000, tlsVersion = "TLSv1.2", clock = systemClock() } = options;
  const { fetch = (input, init) => globalThis.fetch(input, init) } = options;
  const sender = new MtlsSender({ ...options, tlsVersion });
  const random = Math.random;

  const answerTo = async <Body>(
    send: (signal: AbortSignal) => Promise<Response>,
    timeout: number,
    correlationId: string = "",
  ): Promise<NetworkAnswer<Body>> => {
    try {
      return parsed(await exchange(send, { policy: noRetryPolicy, timeout, clock, random }));
    } catch (error) {
      throw await authError(error, correlationId);
    }
  };

  return {
    sendGetRequestAsync: (url, { headers = {}, correlationId } = {}, timeout = patience) =>
      answerTo(
        (signal) => fetch(url, { headers: { ...headers }, redirect: "manual", signal }),
        timeout,
        correlationId,
      ),
    sendPostRequestAsync: (url, { headers = {}, body = "", correlationId } = {}) =>
      answerTo(
        async (signal) => {
          const init = { method: "POST", headers: { ...headers }, body, signal };
          const request = new Request(mtlsEndpointOf(url), { ...init, redirect: "manual" });
          return await sender.send(request);
        },
        patience,
        correlationId,
      ),
  };
}

function parsed<Body>({ status, headers, text }: Answer): NetworkAnswer<Body> {
  try {
    // MSAL checks what is in it, as it does with its own network.
    return { status, headers: Object.fromEntries(headers), body: JSON.parse(text) as Body };
  } catch {
    throw new KeyboundError(
      "non_parsable_oauth_error",
      `The server's answer (HTTP ${status}) is not JSON. Is something between this host and Entra?`,
      { status },
    );
  }
}

async function authError(error: unknown, correlationId: string): Promise<unknown> {
  const { AuthError } = await loadMsal(error);
  const isOurs = isKeyboundError(error);
  const failure = new AuthError(
    isOurs ? error.code : "network_error",
    correlationId,
    isOurs ? error.message : "The request failed before there was an answer.",
  );
  return Object.assign(failure, { cause: error });
}

/** Only for the class of its errors, when there is one to report. */
async function loadMsal(cause: unknown): Promise<typeof import("@azure/msal-node")> {
  try {
    return await import("@azure/msal-node");
  } catch {
    throw new KeyboundError(
      "missing_dependency",
      "The network for MSAL needs one more package: npm install @azure/msal-node.",
      { cause },
    );
  }
}
