/**
 * Looking up an authorization server's metadata (RFC 8414 section 3), and keeping what was found.
 *
 * @module
 */

import type { FlightContext } from "../binding/context.ts";
import { type ErrorCode, KeyboundError } from "../errors.ts";
import type { Answer } from "../http.ts";
import { SingleFlight } from "../single_flight.ts";
import { readServerMetadata, type ServerEndpoints, wellKnownUrls } from "./metadata.ts";
import { askServer, type ServerLink, SOURCES } from "./server.ts";

/** How long a server that has no good metadata isn't asked again, in milliseconds. */
const NEGATIVE_LIFE = 10_000;

/** Pause after a look-up that failed while older metadata is at hand, in milliseconds. */
const RETRY_PAUSE = 60_000;

/** Age up to which metadata serves while the server can't be asked, in milliseconds. */
const STALE_LIFE = 24 * 3_600_000;

interface Found {
  readonly endpoints: ServerEndpoints;
  /** When it was found, in milliseconds since the Unix epoch. */
  readonly foundOn: number;
  /** From when to look again. */
  readonly lookAgainAt: number;
}

/** The metadata of one issuer. */
export class Discovery {
  readonly #issuer: string;
  readonly #life: number;
  readonly #flights = new SingleFlight<ServerEndpoints>();
  #found: Found | undefined;
  #failed: { readonly error: KeyboundError; readonly failedOn: number } | undefined;

  /** Nothing found yet. Throws as {@linkcode wellKnownUrls} does. */
  constructor(issuer: string, life: number) {
    wellKnownUrls(issuer);
    this.#issuer = issuer;
    this.#life = life;
  }

  /**
   * The server's endpoints, asked for where they aren't known or have been for too long. While the
   * server can't be reached, what was found within a day still serves.
   *
   * Rejects with what {@linkcode readServerMetadata} and {@linkcode askServer} throw, `not_found`,
   * `http_status_not_200`, `request_throttled` or `service_not_available`.
   */
  async endpoints(link: ServerLink, context: FlightContext): Promise<ServerEndpoints> {
    const now = link.clock.now();
    const found = this.#found;
    if (found && now >= found.foundOn && now < found.lookAgainAt) return found.endpoints;
    const failed = this.#failed;
    if (failed && now >= failed.failedOn && now < failed.failedOn + NEGATIVE_LIFE) {
      throw failed.error;
    }
    return await this.#flights.run(
      this.#issuer,
      (signal) => this.#lookUp(link, { ...context, signal }),
      context.signal,
    );
  }

  async #lookUp(link: ServerLink, context: FlightContext): Promise<ServerEndpoints> {
    try {
      const endpoints = await discover(this.#issuer, link, context);
      const foundOn = link.clock.now();
      context.signal.throwIfAborted();
      this.#found = { endpoints, foundOn, lookAgainAt: foundOn + this.#life };
      this.#failed = undefined;
      return endpoints;
    } catch (error) {
      context.signal.throwIfAborted();
      if (!(error instanceof KeyboundError)) throw error;
      const now = link.clock.now();
      const found = this.#found;
      if (error.retryable && found && now >= found.foundOn && now < found.foundOn + STALE_LIFE) {
        this.#found = { ...found, lookAgainAt: now + RETRY_PAUSE };
        return found.endpoints;
      }
      if (!error.retryable) this.#failed = { error, failedOn: now };
      throw error;
    }
  }
}

/** The first document there is decides; only where a server has none is the next address tried. */
async function discover(
  issuer: string,
  link: ServerLink,
  context: FlightContext,
): Promise<ServerEndpoints> {
  let answer: Answer | undefined;
  for (const url of wellKnownUrls(issuer)) {
    const make = (signal: AbortSignal) =>
      new Request(url, { headers: { Accept: "application/json" }, redirect: "manual", signal });
    answer = await askServer(link, "discovery", make, context);
    if (answer.status === 200) return read(answer.text, issuer, context);
    if (answer.status < 400 || [408, 429].includes(answer.status) || answer.status >= 500) break;
  }
  throw refused(answer!, context);
}

function read(json: string, issuer: string, { correlationId }: FlightContext): ServerEndpoints {
  try {
    return readServerMetadata(json, issuer);
  } catch (cause) {
    const { code, message } = cause as KeyboundError;
    throw new KeyboundError(code, message, { correlationId, source: SOURCES.discovery, cause });
  }
}

function refused({ status, retryAfter }: Answer, { correlationId }: FlightContext): KeyboundError {
  const code: ErrorCode = status === 404
    ? "not_found"
    : status === 429
    ? "request_throttled"
    : status >= 500
    ? "service_not_available"
    : "http_status_not_200";
  return new KeyboundError(
    code,
    `The authorization server has no metadata at its well-known addresses (HTTP ${status}). Check 'issuer', or pass 'metadata'.`,
    {
      status,
      retryAfter,
      retryable: status === 408 || status === 429 || status >= 500,
      correlationId,
      source: SOURCES.discovery,
    },
  );
}
