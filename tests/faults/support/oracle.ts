/**
 * What must hold of every acquisition, whatever goes wrong.
 *
 * @module
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { RequestRecord } from "../../../emulator/mod.ts";
import {
  type BoundToken,
  type ErrorCode,
  KeyboundError,
  type KeyboundEvent,
} from "../../../mod.ts";
import { base64url, equalBytes } from "../../../src/encoding.ts";
import { REMINT_COOLDOWN } from "../../../src/policy/healing.ts";
import { jwtClaims } from "../../../src/token/access_token.ts";
import { attribute, COMMON_NAME, parseName } from "../../../src/x509/name.ts";
import type { ClientSpec } from "./clients.ts";

/** How an acquisition ended. */
export type Outcome =
  | { readonly token: BoundToken }
  | { readonly error: unknown };

/** An acquisition that is over. Times in milliseconds. */
export interface Acquisition {
  readonly client: ClientSpec;
  readonly resource: string;
  readonly outcome: Outcome;
  /** The clock, when it was over. */
  readonly now: number;
  /** What passed on the simulated clock. */
  readonly elapsed: number;
  /** What its caller gave up with, had the patience ended. */
  readonly impatience: Error | undefined;
  readonly patience: number | undefined;
}

/**
 * Longest that an acquisition may take by its own timeouts: waits of 90 s for the locks of key and
 * certificate, a probe of 10 s, a metadata service that is being updated (two requests with 8
 * attempts of 10 s and 7 waits of up to 11 s), two attempts of 30 s at a token; all of it twice.
 */
const DEADLINE = 2 * (2 * 90_000 + 10_000 + 2 * (80_000 + 77_000) + 62_000);

/** What waits in the world may add: the fault that was on, others that ask at the same time. */
const SLACK = 120_000;

/** Errors of who misuses the library or tears it down; no fault leads to one. */
const MISUSE: readonly ErrorCode[] = [
  "closed",
  "invalid_argument",
  "invalid_encoding",
  "invalid_managed_identity_endpoint",
  "invalid_pem",
  "missing_dependency",
  "transport_failed",
  "transport_not_available",
  "unsupported_key",
  "unsupported_scheme",
];

/** It ended in a valid token or an error with a code, in time. */
export function judgeAcquisition(acquisition: Acquisition): void {
  const { outcome, elapsed, patience, impatience } = acquisition;
  assert.ok(elapsed <= DEADLINE + SLACK, `it took ${elapsed} ms`);
  if ("token" in outcome) return judgeToken(outcome.token, acquisition);
  const { error } = outcome;
  if (impatience !== undefined && error === impatience) {
    assert.ok(elapsed >= patience!, "it gave up before its caller");
    return;
  }
  if (!(error instanceof KeyboundError)) {
    throw new Error("it failed with no error of this library", { cause: error });
  }
  if (MISUSE.includes(error.code)) {
    throw new Error(`it failed with ${error.code}, as if the caller had erred`, { cause: error });
  }
}

/** The token is bound to the certificate it comes with, which is the client's own. */
export function judgeToken(
  { accessToken, tokenType, expiresOn, binding }: BoundToken,
  { client, resource, now }: Pick<Acquisition, "client" | "resource" | "now">,
): void {
  const { credential, clientId } = binding;
  const claims = jwtClaims(accessToken) ?? {};
  assert.equal(tokenType, "mtls_pop");
  const { cnf } = claims as { cnf?: Record<string, unknown> };
  assert.notEqual(cnf, undefined, "the token is unbound");
  assert.equal(cnf!["x5t#S256"], credential.thumbprint, "the token has another's certificate");
  const digest = createHash("sha256").update(credential.chain[0]!).digest();
  assert.equal(base64url(Uint8Array.from(digest)), credential.thumbprint);
  assert.ok(equalBytes(credential.leaf.spki, credential.key.spki), "certificate and key differ");
  const name = attribute(parseName(credential.leaf.subject), COMMON_NAME);
  assert.deepEqual([name, clientId, claims.appid], Array(3).fill(client.clientId));
  assert.equal(claims.aud, resource);
  assert.ok(expiresOn > now, "the token has expired");
  assert.ok(credential.leaf.notAfter > now, "the certificate has expired");
}

/** What is kept of a client's re-mints for the next look at them. */
export interface RemintMemory {
  /** When the last one was made or adopted, by cause: a dead key, or what came over the wire. */
  readonly last: Map<"probe" | "wire", number>;
}

/**
 * The client never replaced more than one certificate an acquisition, nor more than one in a
 * cool-down, as it told by events.
 */
export function judgeRemints(events: readonly KeyboundEvent[], { last }: RemintMemory): void {
  const causes = new Map<string, "probe" | "wire">();
  const remints = new Map<string, number>();
  for (const event of events) {
    const { correlationId, time } = event;
    if (event.type === "heal") {
      causes.set(correlationId, event.cause === "key_dead" ? "probe" : "wire");
    }
    // Another process's certificate heals as well, and begins a cool-down: the clock may go back.
    if (event.type === "adopt" && causes.has(correlationId)) {
      last.set(causes.get(correlationId)!, time);
    }
    if (event.type !== "mint" || event.reason !== "heal") continue;
    const count = (remints.get(correlationId) ?? 0) + 1;
    remints.set(correlationId, count);
    assert.equal(count, 1, "one acquisition replaced more than one certificate");
    // What is found dead when it is loaded heals nothing that was in use.
    const cause = causes.get(correlationId) ?? "probe";
    const started = time - event.duration;
    const age = started - (last.get(cause) ?? -Infinity);
    assert.ok(age < 0 || age >= REMINT_COOLDOWN, `two re-mints (${cause}) within ${age} ms`);
    last.set(cause, time);
  }
}

/** What is known of some acquisitions. */
export interface Evidence {
  /** What the services saw, of these acquisitions and others. */
  readonly records: readonly RequestRecord[];
  /** What the clients told. */
  readonly events: readonly KeyboundEvent[];
  /** Tokens got. */
  readonly tokens: readonly BoundToken[];
  /** Correlation ids of the acquisitions. */
  readonly ids: ReadonlySet<string>;
}

/**
 * Requests that the runtime's own fetch may send again, unasked and untold, when the connection that
 * it had kept alive is cut: as many as a schedule cuts in a row.
 */
const RESENT = "Deno" in globalThis || "Bun" in globalThis ? 4 : 0;

/** What the services saw agrees with what the clients have and tell. */
export function judgeRecords({ records, events, tokens, ids }: Evidence): void {
  const certificates = (id: string) =>
    records.filter((record) => record.correlationId === id && isIssued(record)).length;
  const succeeded = new Set(tokens.map(({ correlationId }) => correlationId));
  for (const id of ids) {
    const own = events.filter(({ correlationId }) => correlationId === id);
    const told = own.filter(({ type }) => type === "mint").length;
    const repeated = own.filter((e) => e.type === "retry" && e.endpoint === "issuecredential");
    const issued = certificates(id);
    assert.ok(told <= 2, `one acquisition minted ${told} certificates`);
    assert.ok(issued >= told, "a certificate was minted that nobody issued");
    // Answers may have been lost on their way: one for each repetition, and one that ended it.
    const lost = repeated.length + (succeeded.has(id) ? 0 : 1) + RESENT;
    assert.ok(issued <= told + lost, `${issued} were issued, ${told} told of`);
  }
  for (const { correlationId, binding } of tokens) {
    const presented = records
      .filter(({ endpoint, status }) => endpoint === "token" && status === 200)
      .filter((record) => record.correlationId === correlationId)
      .map(({ thumbprint }) => thumbprint);
    assert.ok(
      presented.includes(binding.credential.thumbprint),
      "the token endpoint saw another certificate than the token's",
    );
  }
}

function isIssued({ endpoint, status, step }: RequestRecord): boolean {
  return endpoint === "issuecredential" && status === 200 && step !== "respond" && step !== "flood";
}
