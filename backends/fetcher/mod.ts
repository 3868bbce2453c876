/**
 * Mutual TLS that the platform does: a fetcher that presents a certificate it holds itself, such as
 * an mTLS certificate binding of Cloudflare Workers.
 *
 * @module
 */

import type { ClientCredential } from "../../src/credential.ts";
import { type Bytes, equalBytes } from "../../src/encoding.ts";
import { KeyboundError } from "../../src/errors.ts";
import type { SigningKey } from "../../src/keys.ts";
import { failureSignals, transportError } from "../../src/policy/failure.ts";
import { raceSignal } from "../../src/single_flight.ts";
import type {
  MtlsFetchOptions,
  MtlsTransport,
  TlsVersion,
  TransportError,
} from "../../src/transports.ts";
import { assertHttps, transportClosed } from "../../src/transport_rules.ts";
import { parseCertificate } from "../../src/x509/certificate.ts";

export { platformKey, type PlatformKeyOptions } from "./platform_key.ts";

/** What sends a request over TLS with the platform's certificate: `env.MY_CERTIFICATE`, say. */
export interface PlatformFetcher {
  /** As the global `fetch`. */
  fetch(request: Request): Promise<Response>;
}

/** Options of {@linkcode fetcherTransport}. */
export interface FetcherOptions {
  /** Presents the certificate. */
  fetcher: PlatformFetcher;
  /** DER of the certificate it presents. */
  certificate: Bytes;
  /** Lowest TLS version that the platform accepts. @default "TLSv1.2" */
  minVersion?: TlsVersion;
  /** Highest TLS version that the platform offers. @default "TLSv1.3" */
  maxVersion?: TlsVersion;
}

/**
 * A transport for the one certificate that the platform holds.
 *
 * It keeps the promises that can be kept from outside: only https, only for the credential with
 * exactly this certificate, no redirect followed, `request.signal` obeyed. The rest is the
 * platform's, and you trust it with that: that it presents this certificate and verifies the
 * server. What it can't do:
 * - A range of TLS versions is not imposed but compared with what you declare of the platform; a
 *   request for less than that is refused with `transport_not_available`.
 * - Connections are the platform's own: `connection: "fresh"` isn't granted and `retire` does
 *   nothing.
 * - A failure carries what the platform says and no more: its stage is `start`, or `headers` once
 *   there was a response. Its connection counts as reused, since it may have been: so a reset says
 *   nothing against a certificate that can't be replaced from here anyway.
 *
 * Besides what the port says, `fetch` rejects with `redirect_refused` where the platform followed a
 * redirect all the same. Throws `invalid_der` for a certificate that doesn't parse.
 *
 * @example
 * ```ts
 * const credential = await ClientCredential.create([certificate], platformKey({ certificate }));
 * const transport = fetcherTransport({ fetcher: env.MY_CERTIFICATE, certificate });
 * const response = await transport.fetch(new Request("https://resource.example/"), credential);
 * ```
 */
export function fetcherTransport(options: FetcherOptions): MtlsTransport {
  return new FetcherTransport(options);
}

class FetcherTransport implements MtlsTransport {
  readonly name = "fetcher";
  readonly #fetcher: PlatformFetcher;
  readonly #certificate: Bytes;
  readonly #spki: Bytes;
  readonly #minVersion: TlsVersion;
  readonly #maxVersion: TlsVersion;
  readonly #underWay = new Set<AbortController>();
  #closed = false;

  constructor(options: FetcherOptions) {
    const { fetcher, certificate, minVersion = "TLSv1.2", maxVersion = "TLSv1.3" } = options;
    this.#fetcher = fetcher;
    this.#certificate = certificate;
    this.#spki = parseCertificate(certificate).spki;
    this.#minVersion = minVersion;
    this.#maxVersion = maxVersion;
  }

  accepts(key: SigningKey): boolean {
    return equalBytes(key.spki, this.#spki);
  }

  async fetch(
    request: Request,
    credential: ClientCredential,
    options: MtlsFetchOptions = {},
  ): Promise<Response> {
    if (this.#closed) throw transportClosed();
    assertHttps(request);
    this.#assertAvailable(credential, options);
    request.signal.throwIfAborted();

    const controller = new AbortController();
    const { signal } = controller;
    const onAbort = () => controller.abort(request.signal.reason);
    const onSettled = () => {
      request.signal.removeEventListener("abort", onAbort);
      this.#underWay.delete(controller);
    };
    request.signal.addEventListener("abort", onAbort, { once: true });
    this.#underWay.add(controller);
    try {
      const response = await this.#send(new Request(request, { redirect: "manual", signal }));
      assertNotRedirected(response);
      if (response.body !== null) {
        return new Response(guarded(response.body, signal, onSettled), response);
      }
      onSettled();
      return response;
    } catch (error) {
      onSettled();
      throw error;
    }
  }

  retire(): void {}

  // deno-lint-ignore require-await
  async close(): Promise<void> {
    this.#closed = true;
    for (const controller of this.#underWay) controller.abort(transportClosed());
  }

  async #send(request: Request): Promise<Response> {
    try {
      return await raceSignal(this.#fetcher.fetch(request), request.signal);
    } catch (cause) {
      request.signal.throwIfAborted();
      throw failure(cause, false);
    }
  }

  #assertAvailable(credential: ClientCredential, options: MtlsFetchOptions): void {
    const { minVersion = "TLSv1.2", maxVersion = "TLSv1.3" } = options;
    if (!equalBytes(credential.chain[0]!, this.#certificate)) {
      throw unavailable("The platform holds another certificate than this credential's.");
    }
    if (minVersion > this.#minVersion || maxVersion < this.#maxVersion) {
      throw unavailable(
        `The platform may speak ${this.#minVersion} to ${this.#maxVersion}, which can't be held to ${minVersion} to ${maxVersion} from here.`,
      );
    }
  }
}

/** The body, which ends with the signal whether the platform heeds that or not. */
function guarded(
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
  onSettled: () => void,
): ReadableStream<Bytes> {
  const reader = body.getReader();
  return new ReadableStream<Bytes>({
    async pull(controller) {
      try {
        const { done, value } = await raceSignal(reader.read(), signal);
        if (!done) return controller.enqueue(new Uint8Array(value));
        onSettled();
        controller.close();
      } catch (cause) {
        onSettled();
        reader.cancel(cause).catch(() => {});
        signal.throwIfAborted();
        throw failure(cause, true);
      }
    },
    cancel(reason) {
      onSettled();
      return reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}

function assertNotRedirected(response: Response): void {
  if (!response.redirected) return;
  response.body?.cancel().catch(() => {});
  throw new KeyboundError(
    "redirect_refused",
    "The platform's fetcher followed a redirect. Configure it not to.",
  );
}

function failure(cause: unknown, responseStarted: boolean): TransportError {
  return transportError({
    signals: failureSignals(cause),
    stage: responseStarted ? "headers" : "start",
    reusedConnection: true,
    responseStarted,
  }, cause);
}

function unavailable(message: string): KeyboundError {
  return new KeyboundError("transport_not_available", message);
}
