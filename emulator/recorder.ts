/**
 * Counts requests and keeps the latest ones, without their secrets.
 *
 * @module
 */

import type { IncomingHttpHeaders } from "node:http";
import { ENDPOINTS } from "./schemas.ts";
import type { Counts, EndpointName, RequestRecord } from "./traffic.ts";

/** Headers whose values are no secret; `x-client-*` are none either. */
const PLAIN_HEADERS = new Set([
  "accept",
  "accept-encoding",
  "client-request-id",
  "connection",
  "content-length",
  "content-type",
  "host",
  "metadata",
  "return-client-request-id",
  "transfer-encoding",
  "user-agent",
  "x-emulated-host",
  "x-forwarded-for",
  "x-ms-client-request-id",
  "x-ms-lib-capability",
  "x-ms-tokenboundauth",
]);

/** Body fields whose values are no secret. */
const PLAIN_FIELDS = new Set([
  "claims",
  "client_assertion_type",
  "client_id",
  "client_info",
  "fmi_path",
  "grant_type",
  "resource",
  "scope",
  "token_type",
]);

/** Query parameters whose values may be one. */
const SECRET_QUERY = /token|secret|assertion|password|signature|code|key|^sig$/i;

/** The hash of a token that was revoked (protocol.md section 6.9): it opens nothing. */
const PLAIN_QUERY = "token_sha256_to_refresh";

/** Longest value and most entries kept of one request. */
const VALUE_LIMIT = 2048;
const ENTRY_LIMIT = 100;

/** A record that is still being filled in. */
export type OpenRecord = { -readonly [Name in keyof RequestRecord]: RequestRecord[Name] };

/** The counts and the records of one emulator. */
export class Recorder {
  readonly #history: number;
  #counts = noCounts();
  #records: OpenRecord[] = [];
  #sequence = 0;

  /** A recorder that keeps this many records. */
  constructor(history: number) {
    this.#history = history;
  }

  /** Counts one request or connection. */
  count(name: keyof Counts): void {
    this.#counts[name] += 1;
  }

  /** Counts a request and keeps its record, to be completed by the caller. */
  open(record: Omit<RequestRecord, "sequence">): OpenRecord {
    this.count(record.endpoint);
    this.#sequence += 1;
    const kept = { ...record, sequence: this.#sequence };
    this.#records.push(kept);
    if (this.#records.length > this.#history) this.#records.shift();
    return kept;
  }

  /** The counts as they are. */
  counts(): Counts {
    return { ...this.#counts };
  }

  /** Copies of the records, oldest first. */
  records(endpoint?: EndpointName): RequestRecord[] {
    const wanted = endpoint === undefined
      ? this.#records
      : this.#records.filter((record) => record.endpoint === endpoint);
    return structuredClone(wanted);
  }

  /** Starts counting anew. Sequence numbers go on. */
  clear(): void {
    this.#counts = noCounts();
    this.#records = [];
  }
}

/** Header values by name, secrets withheld. */
export function plainHeaders(headers: IncomingHttpHeaders): Record<string, string | null> {
  const plain = (name: string) => PLAIN_HEADERS.has(name) || name.startsWith("x-client-");
  return pick(
    Object.entries(headers).map(([name, value]) => [name, `${value}`] as const),
    (name) => plain(name),
  );
}

/** Query values by name, secrets withheld. */
export function plainQuery(query: URLSearchParams): Record<string, string | null> {
  return pick([...query], (name) => name === PLAIN_QUERY || !SECRET_QUERY.test(name));
}

/** Names of the fields of a form or JSON body, with the values that are no secret. */
export function plainFields(mediaType: string, body: Uint8Array): Record<string, string | null> {
  const text = new TextDecoder().decode(body);
  if (mediaType === "application/x-www-form-urlencoded") {
    return pick([...new URLSearchParams(text)], (name) => PLAIN_FIELDS.has(name));
  }
  if (mediaType !== "application/json") return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) return {};
    const entries = Object.entries(value).map(([name, member]) => [name, `${member}`] as const);
    return pick(entries, (name, member) => PLAIN_FIELDS.has(name) || member === "");
  } catch {
    return {};
  }
}

/** Scheme of an `Authorization` header. */
export function authorizationScheme(headers: IncomingHttpHeaders): string | null {
  const { authorization } = headers;
  if (authorization === undefined) return null;
  return /^([A-Za-z_-]{1,32})(?: |$)/.exec(authorization)?.[1] ?? "";
}

function pick(
  entries: readonly (readonly [string, string])[],
  plain: (name: string, value: string) => boolean,
): Record<string, string | null> {
  return Object.fromEntries(
    entries.slice(0, ENTRY_LIMIT).map(([name, value]) => [
      name.slice(0, VALUE_LIMIT),
      plain(name, value) && !looksLikeToken(value) ? value.slice(0, VALUE_LIMIT) : null,
    ]),
  );
}

/** Whether the value looks like a JWT, wherever it turned up. */
function looksLikeToken(value: string): boolean {
  return /eyJ[\w-]{8,}\.[\w-]+\./.test(value);
}

function noCounts(): Record<keyof Counts, number> {
  const names: (keyof Counts)[] = [...ENDPOINTS, "token_connections", "resource_connections"];
  return Object.fromEntries(names.map((name) => [name, 0])) as Record<keyof Counts, number>;
}
