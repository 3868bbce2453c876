/**
 * A transport over the agents of `node:https`, whoever makes their connections.
 *
 * @module
 */

import { systemClock } from "../../src/clock.ts";
import type { ClientCredential } from "../../src/credential.ts";
import { KeyboundError } from "../../src/errors.ts";
import type { SigningKey } from "../../src/keys.ts";
import { raceSignal } from "../../src/single_flight.ts";
import { assertHttps, transportClosed } from "../../src/transport_rules.ts";
import type { MtlsFetchOptions, MtlsTransport } from "../../src/transports.ts";
import { Connections, type CreateAgents, type VersionRange } from "./connections.ts";
import type { HttpsTransportOptions } from "./options.ts";
import { openBody, type RequestBody } from "./request_body.ts";

/** {@linkcode HttpsTransportOptions}, checked and complete. */
export type HttpsSettings = Readonly<Required<HttpsTransportOptions>>;

/** What makes one such transport different from another. */
export interface HttpsBackend {
  /** Name of the transport. */
  readonly name: string;
  /** Whether it can present a certificate of this key. */
  accepts(key: SigningKey): boolean;
  /** Makes the agents of a credential. */
  readonly createAgents: CreateAgents;
  /** Gives back what the agents stood on; none is left when it is called. */
  close?(): Promise<void>;
}

/** Timers that are set to more go off at once. */
const MAX_INTEGER = 2 ** 31 - 1;

/** Methods that may be sent again when a kept-alive connection turns out to be closed. */
const IDEMPOTENT: readonly string[] = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"];

/** The options with their defaults; throws `invalid_argument` for one that is out of range. */
export function httpsSettings(options: HttpsTransportOptions): HttpsSettings {
  const { maxCredentials = 50, keepAliveTimeout = 15_000, connectTimeout = 30_000 } = options;
  assertPositive({ maxCredentials, keepAliveTimeout, connectTimeout });
  const clock = options.clock ?? systemClock();
  return { maxCredentials, keepAliveTimeout, connectTimeout, clock };
}

/** Requests over the agents of a backend. */
export class HttpsTransport implements MtlsTransport {
  readonly name: string;
  readonly #backend: HttpsBackend;
  readonly #settings: HttpsSettings;
  readonly #connections: Connections;
  readonly #underWay = new Set<AbortController>();
  #closed: Promise<void> | undefined;

  /** A transport without connections yet. */
  constructor(backend: HttpsBackend, settings: HttpsSettings) {
    this.name = backend.name;
    this.#backend = backend;
    this.#settings = settings;
    this.#connections = new Connections(backend.createAgents, settings.maxCredentials);
  }

  accepts(key: SigningKey): boolean {
    return this.#backend.accepts(key);
  }

  async fetch(
    request: Request,
    credential: ClientCredential,
    options: MtlsFetchOptions = {},
  ): Promise<Response> {
    if (this.#closed !== undefined) throw transportClosed();
    assertHttps(request);
    const versions = versionRange(options);
    request.signal.throwIfAborted();

    const controller = new AbortController();
    const onAbort = () => controller.abort(request.signal.reason);
    const onSettled = () => {
      request.signal.removeEventListener("abort", onAbort);
      this.#underWay.delete(controller);
    };
    request.signal.addEventListener("abort", onAbort, { once: true });
    this.#underWay.add(controller);
    const { signal } = controller;
    let body: RequestBody | undefined;
    try {
      const agents = await raceSignal(this.#connections.agents(credential, versions), signal);
      // What loads `node:https` is loaded when it is needed: it is most of what an import costs.
      const { exchange } = await import("./exchange.ts");
      body = await openBody(request, signal);
      const pooled = options.connection !== "fresh" && body.buffered &&
        IDEMPOTENT.includes(request.method);
      return await exchange(request, body, {
        agent: pooled ? agents.pooled : agents.fresh,
        connectTimeout: this.#settings.connectTimeout,
        clock: this.#settings.clock,
        signal,
        onSettled,
      });
    } catch (error) {
      if (body !== undefined) body.cancel(error);
      else if (signal.aborted && !request.bodyUsed) request.body?.cancel(error).catch(() => {});
      onSettled();
      throw error;
    }
  }

  retire(thumbprint: string): void {
    this.#connections.retire(thumbprint);
  }

  async close(): Promise<void> {
    await (this.#closed ??= this.#end());
  }

  async #end(): Promise<void> {
    for (const controller of this.#underWay) controller.abort(transportClosed());
    await this.#connections.retireAll();
    await this.#backend.close?.();
  }
}

function versionRange(options: MtlsFetchOptions): VersionRange {
  const { minVersion = "TLSv1.2", maxVersion = "TLSv1.3" } = options;
  if (minVersion <= maxVersion) return { minVersion, maxVersion };
  throw new KeyboundError(
    "invalid_argument",
    `There is no TLS version from ${minVersion} up to ${maxVersion}.`,
  );
}

function assertPositive(values: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(values)) {
    if (Number.isInteger(value) && value > 0 && value <= MAX_INTEGER) continue;
    throw new KeyboundError("invalid_argument", `'${name}' must be an integer from 1 to 2^31-1.`);
  }
}
