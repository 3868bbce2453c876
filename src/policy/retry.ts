/**
 * When to repeat an HTTP request: the tables of protocol.md section 4.3, with the fixes of its
 * appendix B (a timeout is repeated, a metadata 404 is final).
 *
 * @module
 */

/** How one attempt ended, as far as repeating it goes. A failed connection is never repeated. */
export interface AttemptOutcome {
  /** HTTP status of the answer; absent where none came in time. */
  readonly status?: number | undefined;
  /** Milliseconds that the server asked to wait. */
  readonly retryAfter?: number | undefined;
}

/** A retry table. Delays in milliseconds. */
export interface RetryPolicy {
  /** Statuses worth repeating. */
  readonly statuses: (status: number) => boolean;
  /** Repetitions allowed, given how the first attempt ended. */
  readonly limit: (first: AttemptOutcome) => number;
  /** Wait before repetition number `attempt` (from 1), given how the last attempt ended. */
  readonly delay: (last: AttemptOutcome, attempt: number) => number;
  /** What the server's `Retry-After` does: nothing, lengthens the wait, or forbids the repetition. */
  readonly retryAfter: "ignored" | "honoured" | "stops";
}

const serverError = (status: number) => status >= 500 && status <= 599;
const isGone = ({ status }: AttemptOutcome) => status === 410;
const exponential = (attempt: number) => Math.min(1000 * 2 ** (attempt - 1), 4000);

const imdsLimit = (first: AttemptOutcome) => (isGone(first) ? 7 : 3);
const imdsDelay = (last: AttemptOutcome, attempt: number) =>
  isGone(last) ? 10_000 : exponential(attempt);

/** IMDS: v1 tokens, `issuecredential`, compute metadata. */
export const imdsPolicy: RetryPolicy = {
  statuses: (status) => [404, 408, 410, 429].includes(status) || serverError(status),
  limit: imdsLimit,
  delay: imdsDelay,
  retryAfter: "ignored",
};

/** IMDS without 404: probes, and `getplatformmetadata`, where 404 means an IMDSv1-only host. */
export const imdsProbePolicy: RetryPolicy = {
  statuses: (status) => [408, 410, 429].includes(status) || serverError(status),
  limit: imdsLimit,
  delay: imdsDelay,
  retryAfter: "ignored",
};

/** App Service, Azure Arc, Cloud Shell, Machine Learning, Service Fabric. */
export const managedIdentityPolicy: RetryPolicy = {
  statuses: (status) => [404, 408, 429, 500, 503, 504].includes(status),
  limit: () => 3,
  delay: () => 1000,
  retryAfter: "honoured",
};

/** The token endpoint: one repetition, and none where the server says when to come back. */
export const tokenEndpointPolicy: RetryPolicy = {
  statuses: serverError,
  limit: () => 1,
  delay: () => 1000,
  retryAfter: "stops",
};

/** Region discovery (protocol.md section 8.4). */
export const regionPolicy: RetryPolicy = {
  statuses: (status) => [410, 429].includes(status) || serverError(status),
  limit: () => 3,
  delay: (_last, attempt) => exponential(attempt),
  retryAfter: "ignored",
};

/** No repetition at all. */
export const noRetryPolicy: RetryPolicy = {
  statuses: () => false,
  limit: () => 0,
  delay: () => 0,
  retryAfter: "ignored",
};

/** Longest `Retry-After` that is kept, in milliseconds. */
export const MAX_RETRY_AFTER: number = 3_600_000;

/** The share of a delay that `random` may add, so that processes started together drift apart. */
const JITTER = 0.1;

/**
 * After how many milliseconds to repeat, given these attempts (all of them, oldest first, at least
 * one); `undefined` to give up. `random` is in [0, 1); 0 gives the table's own delays.
 */
export function retryDelay(
  policy: RetryPolicy,
  attempts: readonly AttemptOutcome[],
  random: number,
): number | undefined {
  const last = attempts.at(-1)!;
  const { status, retryAfter } = last;
  if (attempts.length > policy.limit(attempts[0]!)) return undefined;
  if (status !== undefined && !policy.statuses(status)) return undefined;
  if (retryAfter !== undefined && policy.retryAfter === "stops") return undefined;
  const asked = policy.retryAfter === "honoured" ? retryAfter ?? 0 : 0;
  return Math.max(policy.delay(last, attempts.length), asked) * (1 + JITTER * random);
}

/**
 * `Retry-After` in milliseconds from now: seconds or an HTTP date (RFC 9110 section 10.2.3);
 * `undefined` for anything else. A date gone by is 0. Capped at one hour (protocol.md section 4.5).
 */
export function parseRetryAfter(value: string | null, now: number): number | undefined {
  if (value === null) return undefined;
  const text = value.trim();
  const wait = /^\d{1,10}$/.test(text)
    ? Number(text) * 1000
    : /GMT$/.test(text)
    ? Date.parse(text) - now
    : NaN;
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(wait, 0), MAX_RETRY_AFTER);
}

/**
 * Until when (milliseconds since the epoch) requests like the one just answered are refused
 * without being sent: as long as the server asked, or a minute after a 429 that didn't say;
 * `undefined` where nothing is to be held back (protocol.md section 4.5).
 */
export function throttledUntil(
  status: number,
  retryAfter: number | undefined,
  now: number,
): number | undefined {
  if (retryAfter !== undefined && (status === 429 || serverError(status))) {
    return retryAfter > 0 ? now + retryAfter : undefined;
  }
  return status === 429 ? now + 60_000 : undefined;
}
