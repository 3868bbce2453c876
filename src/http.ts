/**
 * One HTTP exchange as this library wants it: bounded in time and size, no redirects, repeated as
 * a policy says.
 *
 * @module
 */

import type { Clock } from "./clock.ts";
import { withDeadline } from "./deadline.ts";
import { KeyboundError } from "./errors.ts";
import {
  type AttemptOutcome,
  parseRetryAfter,
  retryDelay,
  type RetryPolicy,
} from "./policy/retry.ts";

/** Largest response body that is read, in bytes (protocol.md section 1.9). */
export const MAX_BODY = 1_048_576;

/** A response whose body has been read. */
export interface Answer {
  /** HTTP status. */
  readonly status: number;
  /** Response headers. */
  readonly headers: Headers;
  /** The body as text; malformed UTF-8 shows as U+FFFD. */
  readonly text: string;
  /** Milliseconds that the server asked to wait, where it did. */
  readonly retryAfter: number | undefined;
}

/** What an exchange needs besides the request. */
export interface ExchangeOptions {
  /** When to repeat. */
  policy: RetryPolicy;
  /** Milliseconds for one attempt, body included. */
  timeout: number;
  /** Time. */
  clock: Clock;
  /** Randomness in [0, 1), for jitter. */
  random: () => number;
  /** Ends the exchange; it rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Told before each repetition. */
  onRetry?: (retry: Retry) => void;
}

/** A repetition about to be made. */
export interface Retry {
  /** Its number, from 1. */
  readonly attempt: number;
  /** Milliseconds until then. */
  readonly delay: number;
  /** Status that caused it; `undefined` for a timeout. */
  readonly status: number | undefined;
}

/**
 * The answer to `send`, which is called once an attempt.
 *
 * Rejects with `request_timeout` when the last attempt ran out of time, `response_too_large`,
 * `redirect_refused`, the signal's reason, or whatever `send` rejects with.
 */
export async function exchange(
  send: (signal: AbortSignal) => Promise<Response>,
  options: ExchangeOptions,
): Promise<Answer> {
  const { policy, clock, random, signal, onRetry } = options;
  const attempts: AttemptOutcome[] = [];
  while (true) {
    const answer = await attempt(send, options);
    attempts.push(answer ?? {});
    const delay = retryDelay(policy, attempts, random());
    if (delay === undefined) {
      if (answer !== undefined) return answer;
      throw new KeyboundError(
        "request_timeout",
        `No answer within ${options.timeout} ms (attempts: ${attempts.length}). Check that the endpoint is reachable.`,
        { retryable: true },
      );
    }
    onRetry?.({ attempt: attempts.length, delay, status: answer?.status });
    await clock.sleep(delay, signal);
  }
}

/** One attempt: an answer, or `undefined` when its time ran out. */
async function attempt(
  send: (signal: AbortSignal) => Promise<Response>,
  { timeout, clock, signal }: ExchangeOptions,
): Promise<Answer | undefined> {
  const late = new DOMException("Too slow.", "TimeoutError");
  const work = (attempting: AbortSignal) => sendAndRead(send, attempting, clock);
  try {
    return await withDeadline(work, timeout, late, clock, signal);
  } catch (error) {
    if (error === late) return undefined;
    throw error;
  }
}

async function sendAndRead(
  send: (signal: AbortSignal) => Promise<Response>,
  signal: AbortSignal,
  clock: Clock,
): Promise<Answer> {
  const response = await send(signal);
  const { status, headers } = response;
  if ((status >= 300 && status <= 399) || response.type === "opaqueredirect") {
    response.body?.cancel().catch(() => {});
    throw new KeyboundError(
      "redirect_refused",
      `The endpoint redirects (HTTP ${status}), which is never followed.`,
      { status },
    );
  }
  const text = await readText(response, MAX_BODY);
  const retryAfter = parseRetryAfter(headers.get("retry-after"), clock.now());
  return { status, headers, text, retryAfter };
}

/** The body as text; throws `response_too_large` once it exceeds `limit` bytes. */
export async function readText(response: Response, limit: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let length = 0;
  // Leaving the loop cancels the rest.
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > limit) {
      throw new KeyboundError("response_too_large", `The response exceeds ${limit} bytes.`, {
        status: response.status,
      });
    }
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
