/**
 * The port for attesting KeyGuard keys, and the cache of what it gives (protocol.md section 5).
 *
 * @module
 */

import * as v from "valibot";
import type { Clock } from "./clock.ts";
import { base64, fromBase64url, fromUtf8 } from "./encoding.ts";
import { KeyboundError } from "./errors.ts";
import type { SigningKey } from "./keys.ts";
import { parseJson, parseUrl } from "./parse.ts";
import { SingleFlight } from "./single_flight.ts";

/** What an attestor is asked. */
export interface AttestationRequest {
  /** Absolute URL of the attestation service, from the platform's metadata. */
  readonly endpoint: string;
  /** The KeyGuard key to attest; its `id` is the key's name. */
  readonly key: SigningKey;
  /** Client id of the identity, from the platform's metadata. */
  readonly clientId: string;
  /** Ends the wait. */
  readonly signal: AbortSignal;
}

/** Gets a statement (JWT) that a key is VBS-isolated. */
export interface Attestor {
  /** Name, for messages. */
  readonly name: string;
  /** The attestation JWT; a blank one or `undefined` counts as a failure. */
  attest(request: AttestationRequest): Promise<string | undefined>;
}

/** Attestation JWTs of one process: they outlive certificates (protocol.md section 5.4). */
export class AttestationCache {
  readonly #tokens = new Map<string, { readonly token: string; readonly expiresOn: number }>();
  readonly #flights = new SingleFlight<string>();

  /**
   * A JWT for this key with more than 5 minutes left, from the attestor where none is cached.
   *
   * Rejects with `attestation_failed` when the attestor gives none or fails, with its own error if
   * that is a `KeyboundError`, or with the signal's reason.
   */
  async get(
    attestor: Attestor,
    request: Omit<AttestationRequest, "signal">,
    clock: Clock,
    signal?: AbortSignal,
  ): Promise<string> {
    const endpoint = checkEndpoint(request.endpoint);
    const cacheKey = `${endpoint.toLowerCase().replace(/\/+$/, "")}|${base64(request.key.spki)}`;
    const cached = this.#tokens.get(cacheKey);
    if (cached !== undefined) {
      if (cached.expiresOn > clock.now() + FRESHNESS) return cached.token;
      this.#tokens.delete(cacheKey);
    }
    return await this.#flights.run(cacheKey, async (flightSignal) => {
      const token = await attest(attestor, { ...request, endpoint, signal: flightSignal });
      const expiresOn = expiryOf(token);
      if (expiresOn !== undefined) {
        if (this.#tokens.size >= CAPACITY) this.#tokens.clear();
        this.#tokens.set(cacheKey, { token, expiresOn });
      }
      return token;
    }, signal);
  }
}

/** A cached JWT is used while it has more than this left, in milliseconds. */
const FRESHNESS = 5 * 60_000;

/** Far more keys and endpoints than one host has. */
const CAPACITY = 64;

function checkEndpoint(endpoint: string): string {
  const url = parseUrl(endpoint);
  const secure = url?.protocol === "https:" ||
    url?.protocol === "http:" && isLoopback(url.hostname);
  if (url === undefined || !secure || url.username !== "" || url.password !== "") {
    throw new KeyboundError(
      "managed_identity_request_failed",
      "[Imds] getplatformmetadata: attestationEndpoint is not an https URL, so the key can't be attested.",
      { source: "Imds" },
    );
  }
  return url.href;
}

/** An emulator's attestation service may do without TLS on the host's own loopback. */
function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d{1,3}){3}$/.test(hostname);
}

async function attest(attestor: Attestor, request: AttestationRequest): Promise<string> {
  let token: string | undefined;
  try {
    token = await attestor.attest(request);
  } catch (cause) {
    request.signal.throwIfAborted();
    if (cause instanceof KeyboundError || isAbort(cause)) throw cause;
    throw new KeyboundError(
      "attestation_failed",
      `Attestor '${attestor.name}' failed; no certificate was asked for. See 'cause'.`,
      { cause },
    );
  }
  if (typeof token !== "string" || token.trim() === "") {
    throw new KeyboundError(
      "attestation_failed",
      `Attestor '${attestor.name}' gave no token; no certificate was asked for.`,
    );
  }
  return token;
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}

const Claims = v.object({
  exp: v.union([v.number(), v.pipe(v.string(), v.regex(/^\d{1,12}$/), v.transform(Number))]),
});

/** `exp` of a JWT in milliseconds; `undefined` where there is none, which means: don't cache. */
function expiryOf(token: string): number | undefined {
  try {
    const claims = parseJson(Claims, fromUtf8(fromBase64url(token.split(".")[1] ?? "")));
    return claims === undefined ? undefined : claims.exp * 1000;
  } catch {
    return undefined;
  }
}
