/**
 * Mutual TLS with software keys through the TLS stack of Node, Deno or Bun (`node:https`).
 *
 * @module
 */

import { type Clock, systemClock } from "../../src/clock.ts";
import type { ClientCredential } from "../../src/credential.ts";
import { KeyboundError } from "../../src/errors.ts";
import { isPemExportable, type SigningKey } from "../../src/keys.ts";
import { raceSignal } from "../../src/single_flight.ts";
import { assertHttps, transportClosed } from "../../src/transport_rules.ts";
import type { MtlsFetchOptions, MtlsTransport } from "../../src/transports.ts";
import { decodePem, encodePem } from "../../src/x509/pem.ts";
import { Connections, type VersionRange } from "./connections.ts";
import { exchange } from "./exchange.ts";
import { openBody, type RequestBody } from "./request_body.ts";

/** Options of {@linkcode nodeTlsTransport}. */
export interface NodeTlsOptions {
  /**
   * PEM certificates of the authorities that servers are verified against, in place of the
   * runtime's own list.
   */
  ca?: string | readonly string[];
  /** How many credentials have connections and key material held for them. @default 50 */
  maxCredentials?: number;
  /** Milliseconds until an idle connection is closed. @default 15000 */
  keepAliveTimeout?: number;
  /** Milliseconds from the start of a request to a secure connection. @default 30000 */
  connectTimeout?: number;
  /** Time. @default the runtime's */
  clock?: Clock;
}

/** Timers that are set to more go off at once. */
const MAX_INTEGER = 2 ** 31 - 1;

/** Methods that may be sent again when a kept-alive connection turns out to be closed. */
const IDEMPOTENT: readonly string[] = ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"];

/**
 * A transport for keys that can be exported as PEM; on each of the three runtimes the same.
 *
 * - Certificate and key are checked against each other before the first use; a request is written
 *   only when the server has been verified, also with `NODE_TLS_REJECT_UNAUTHORIZED` set.
 * - `pooled` requests use a connection of their own all the same when they have a method other than
 *   GET, HEAD, OPTIONS, PUT and DELETE, or a body of 64 KiB and more: Deno re-sends a request when
 *   the kept-alive connection it was sent on is reset. Idempotent requests may so be sent twice
 *   there; elsewhere they fail as `peer_reset`.
 * - A body of less than 64 KiB is sent with its length, once all of it is there; a longer one is
 *   streamed, in chunks unless the caller declares `content-length`. Headers that belong to the
 *   connection, `host` included, are the transport's own.
 * - Read a response's body to its end or cancel it: its connection is held until then. Nothing is
 *   decompressed, since nothing compressed is asked for. A body without a length that ends with
 *   the connection passes for whole: `node:https` doesn't tell whether TLS was closed properly.
 * - On Deno a response nobody reads piles up in memory: Deno reads on from a TLS socket that is
 *   paused.
 * - The key stays in this process's memory as PEM until its credential is retired, the transport
 *   closed, or `maxCredentials` others have been used since.
 *
 * Besides what the port says, `fetch` rejects before any network with `key_unusable` or what
 * `exportPem` rejects with, `certificate_key_mismatch`, `unsupported_key`, and `invalid_argument` for
 * an empty version range, a header that can't be sent, a used body and one that isn't as long as
 * declared; of a body that is streamed the last shows on the way. Throws `invalid_argument` for
 * an option out of range and `invalid_pem` for a `ca` without certificates.
 *
 * @example
 * ```ts
 * const transport = nodeTlsTransport();
 * const request = new Request("https://resource.example/", { headers: { authorization } });
 * const response = await transport.fetch(request, credential);
 * ```
 */
export function nodeTlsTransport(options: NodeTlsOptions = {}): MtlsTransport {
  return new NodeTlsTransport(options);
}

class NodeTlsTransport implements MtlsTransport {
  readonly name = "node_tls";
  readonly #connectTimeout: number;
  readonly #clock: Clock;
  readonly #connections: Connections;
  readonly #underWay = new Set<AbortController>();
  #closed = false;

  constructor(options: NodeTlsOptions) {
    const { ca, maxCredentials = 50, keepAliveTimeout = 15_000, connectTimeout = 30_000 } = options;
    assertPositive({ maxCredentials, keepAliveTimeout, connectTimeout });
    this.#connectTimeout = connectTimeout;
    this.#clock = options.clock ?? systemClock();
    this.#connections = new Connections({
      ca: ca === undefined ? undefined : trustAnchors(ca),
      maxCredentials,
      keepAliveTimeout,
    });
  }

  accepts(key: SigningKey): boolean {
    return isPemExportable(key);
  }

  async fetch(
    request: Request,
    credential: ClientCredential,
    options: MtlsFetchOptions = {},
  ): Promise<Response> {
    if (this.#closed) throw transportClosed();
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
      body = await openBody(request, signal);
      const pooled = options.connection !== "fresh" && body.buffered &&
        IDEMPOTENT.includes(request.method);
      return await exchange(request, body, {
        agent: pooled ? agents.pooled : agents.fresh,
        connectTimeout: this.#connectTimeout,
        clock: this.#clock,
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

  // deno-lint-ignore require-await
  async close(): Promise<void> {
    this.#closed = true;
    this.#connections.retireAll();
    for (const controller of this.#underWay) controller.abort(transportClosed());
  }
}

/** The authorities one by one. A runtime may pass over what it can't read, and trust its own. */
function trustAnchors(ca: string | readonly string[]): string[] {
  return [ca].flat().flatMap((pem) =>
    decodePem(pem, "CERTIFICATE").map((der) => encodePem("CERTIFICATE", der))
  );
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
