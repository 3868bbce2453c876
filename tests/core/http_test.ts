/**
 * One exchange: attempts, waits, bounds (protocol.md sections 4.2 and 4.3).
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { exchange, MAX_BODY, readText, type Retry } from "../../src/http.ts";
import { imdsPolicy, noRetryPolicy, type RetryPolicy } from "../../src/policy/retry.ts";
import { manualClock } from "../support/clock.ts";
import { until } from "../support/waiting.ts";

function exchanging(
  send: (attempt: number, signal: AbortSignal) => Response | Promise<Response>,
  options: { policy?: RetryPolicy; signal?: AbortSignal } = {},
) {
  const clock = manualClock();
  const retries: Retry[] = [];
  let attempts = 0;
  const answer = exchange(
    async (signal) => await send(attempts++, signal),
    {
      policy: options.policy ?? imdsPolicy,
      timeout: 1500,
      clock,
      random: () => 0,
      signal: options.signal,
      onRetry: (retry) => void retries.push(retry),
    },
  );
  answer.catch(() => {});
  return { clock, retries, answer, attempts: () => attempts };
}

describe("an exchange", () => {
  it("repeats at the moments of the table, not before", async () => {
    const { clock, answer, attempts, retries } = exchanging((i) =>
      new Response(i < 3 ? null : "done", { status: i < 3 ? 500 : 200 })
    );
    for (const [wait, before] of [[1000, 1], [2000, 2], [4000, 3]] as const) {
      await until(() => retries.length === before);
      await clock.advance(wait - 1);
      assert.equal(attempts(), before);
      await clock.advance(1);
      await until(() => attempts() === before + 1);
    }
    assert.equal((await answer).text, "done");
    assert.deepEqual(retries, [
      { attempt: 1, delay: 1000, status: 500 },
      { attempt: 2, delay: 2000, status: 500 },
      { attempt: 3, delay: 4000, status: 500 },
    ]);
  });

  it("gives the last answer when the policy gives up", async () => {
    const { clock, answer, attempts, retries } = exchanging(() =>
      new Response("x", { status: 504 })
    );
    for (let i = 1; i <= 3; i++) {
      await until(() => retries.length === i);
      await clock.advance(retries.at(-1)!.delay);
    }
    assert.equal((await answer).status, 504);
    assert.equal(attempts(), 4);
  });

  it("aborts an attempt that takes too long, and repeats it", async () => {
    const signals: AbortSignal[] = [];
    const { clock, answer, retries } = exchanging((i, signal) => {
      signals.push(signal);
      return i === 0 ? new Promise(() => {}) : new Response("late");
    });
    await clock.advance(1500);
    assert.equal(signals[0]!.aborted, true);
    assert.equal((signals[0]!.reason as Error).name, "TimeoutError");
    await until(() => retries.length === 1);
    await clock.advance(1000);
    assert.equal((await answer).text, "late");
    assert.deepEqual(retries, [{ attempt: 1, delay: 1000, status: undefined }]);
  });

  it("counts a body that stalls as an attempt that takes too long", async () => {
    const { clock, answer } = exchanging(
      () => new Response(new ReadableStream({ pull: () => new Promise(() => {}) })),
      { policy: noRetryPolicy },
    );
    await clock.advance(1500);
    await assert.rejects(answer, { code: "request_timeout", retryable: true });
  });

  it("never repeats a failed connection", async () => {
    const failure = new TypeError("fetch failed");
    const { answer, attempts } = exchanging(() => Promise.reject(failure));
    await assert.rejects(answer, failure);
    assert.equal(attempts(), 1);
  });

  it("leaves no timer behind", async () => {
    const { clock, answer } = exchanging(() => new Response("x"));
    await answer;
    assert.equal(clock.sleepers, 0);
  });

  it("starts afresh: three in a row have the full table each", async () => {
    for (let i = 0; i < 3; i++) {
      const { clock, answer, attempts, retries } = exchanging(() =>
        new Response(null, { status: 503 })
      );
      for (let n = 1; n <= 3; n++) {
        await until(() => retries.length === n);
        await clock.advance(retries.at(-1)!.delay);
      }
      assert.equal((await answer).status, 503);
      assert.equal(attempts(), 4);
    }
  });

  it("refuses every redirect", async () => {
    for (const status of [300, 301, 302, 303, 307, 308]) {
      const { answer } = exchanging(() => new Response(null, { status }));
      await assert.rejects(answer, { code: "redirect_refused", status });
    }
  });
});

describe("a body", () => {
  it("of the largest size is read, one byte more is not", async () => {
    const chunk = (n: number) => new Uint8Array(n).fill(0x61);
    assert.equal((await readText(new Response(chunk(MAX_BODY)), MAX_BODY)).length, MAX_BODY);
    await assert.rejects(readText(new Response(chunk(MAX_BODY + 1)), MAX_BODY), {
      code: "response_too_large",
    });
  });

  it("that is cut inside a character is put together again", async () => {
    const [first, second] = [new Uint8Array([0xe2, 0x82]), new Uint8Array([0xac])];
    const stream = new ReadableStream({
      start(controller) {
        controller.enqueue(first);
        controller.enqueue(second);
        controller.close();
      },
    });
    assert.equal(await readText(new Response(stream), 10), "€");
  });

  it("that isn't there is empty", async () => {
    assert.equal(await readText(new Response(null), 10), "");
  });
});
