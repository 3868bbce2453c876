/**
 * What sources answer, what is made of it, and how often they are asked (protocol.md sections 7.8,
 * 10.2, 10.9).
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isKeyboundError } from "../../src/errors.ts";
import type { Retry } from "../../src/http.ts";
import type { SourceName } from "../../src/sources/mod.ts";
import { drive, EPOCH, HOUR } from "../support/clock.ts";
import { until } from "../support/waiting.ts";
import {
  CORRELATION_ID,
  ENVIRONMENTS,
  fakeHost,
  IDENTITIES,
  query,
  SECRET,
  tokenResponse,
} from "./support/fake_host.ts";

const SOURCES = Object.entries(ENVIRONMENTS) as [SourceName, Record<string, string>][];
const OTHERS = SOURCES.filter(([source]) => source !== "Imds");

/** The token of a response with these fields, or the failure. */
function reading(fields: unknown, source: SourceName = "AppService") {
  const body = typeof fields === "string" ? fields : JSON.stringify(fields);
  return fakeHost(ENVIRONMENTS[source], { answer: () => new Response(body) }).sources.token(
    query(),
  );
}

describe("a token response", () => {
  const lives: [unknown, number, boolean][] = [
    [3600, HOUR, false],
    ["7200", 2 * HOUR, false],
    ["7201", 2 * HOUR + 1000, true],
    ["10800", 3 * HOUR, true],
    [(EPOCH + HOUR) / 1000, HOUR, false],
    [String((EPOCH + 3 * HOUR) / 1000), 3 * HOUR, true],
    ["2030-01-01T03:00:00Z", 3 * HOUR, true],
    ["2030-01-01T02:00:00+00:00", 2 * HOUR, false],
  ];
  for (const name of ["expires_on", "expires_in"]) {
    for (const [expiry, life, refreshed] of lives) {
      it(`with ${name} ${expiry} lives ${life / HOUR} h, refreshed at half: ${refreshed}`, async () => {
        const answer = await reading({ access_token: "t", [name]: expiry });
        assert.deepEqual(answer, {
          accessToken: "t",
          expiresOn: EPOCH + life,
          ...(refreshed ? { refreshOn: EPOCH + life / 2 } : {}),
          source: "AppService",
        });
      });
    }
  }

  it("with two expiries goes by the last that says something", async () => {
    const last = await reading('{"access_token":"t","expires_on":"60","expires_in":"120"}');
    assert.equal(last.expiresOn, EPOCH + 120_000);
    const other = await reading('{"expires_in":"120","expires_on":"60","access_token":"t"}');
    assert.equal(other.expiresOn, EPOCH + 60_000);
    const blank = await reading('{"expires_in":"120","expires_on":"","access_token":"t"}');
    assert.equal(blank.expiresOn, EPOCH + 120_000);
  });

  const failed = "managed_identity_request_failed";
  const refused: [string, unknown, string][] = [
    ["empty", "", failed],
    ["blank", " \n", failed],
    ["null", "null", failed],
    ["an array", "[]", failed],
    ["empty JSON", {}, failed],
    ["without a token", { expires_on: "3600" }, failed],
    ["with an empty token", { access_token: "", expires_on: "3600" }, failed],
    ["with a token no header can carry", { access_token: "a\nb", expires_on: "3600" }, failed],
    ["with a token that is no text", { access_token: {}, expires_on: "3600" }, failed],
    ["without an expiry", { access_token: "secret-token" }, failed],
    ["that isn't JSON", "<html>secret-token", "managed_identity_response_parse_failure"],
    ["cut short", '{"access_token":"secret-token","ex', "managed_identity_response_parse_failure"],
    [
      "with an expiry of words",
      { access_token: "secret-token", expires_on: "soon" },
      "invalid_timestamp_format",
    ],
    [
      "with a fractional expiry",
      { access_token: "secret-token", expires_on: 1.5 },
      "invalid_timestamp_format",
    ],
    [
      "with an expiry in an object",
      { access_token: "secret-token", expires_on: {} },
      "invalid_timestamp_format",
    ],
    [
      "that expires now",
      { access_token: "secret-token", expires_in: 0 },
      "invalid_token_provider_response_value",
    ],
    [
      "that has expired",
      { access_token: "secret-token", expires_on: "1700000000" },
      "invalid_token_provider_response_value",
    ],
    [
      "that expired on a date",
      { access_token: "secret-token", expires_on: "2029-12-31T23:59:59Z" },
      "invalid_token_provider_response_value",
    ],
  ];
  for (const [name, body, code] of refused) {
    it(`${name} is ${code} from every source, and nothing of it is told`, async () => {
      for (const [source] of SOURCES) {
        await assert.rejects(reading(body, source), (error) => {
          assert.ok(isKeyboundError(error), String(error));
          assert.equal(error.code, code);
          const { status, source: from, correlationId, retryable } = error;
          assert.deepEqual({ status, from, correlationId, retryable }, {
            status: 200,
            from: source,
            correlationId: CORRELATION_ID,
            retryable: false,
          });
          assert.ok(!/secret-token|html/.test(error.message), error.message);
          return true;
        });
      }
    });
  }

  it("of 5 MB is not read", async () => {
    await assert.rejects(reading("x".repeat(5_000_000)), {
      code: "response_too_large",
      source: "AppService",
      correlationId: CORRELATION_ID,
    });
  });

  it("with another success status is a failure", async () => {
    const { sources } = fakeHost(ENVIRONMENTS.AppService, {
      answer: () => new Response(tokenResponse().body, { status: 202 }),
    });
    await assert.rejects(sources.token(query()), { code: failed, status: 202 });
  });
});

describe("an error response", () => {
  const told: [string, string, RegExp][] = [
    ["flat", '{"error":"e1","error_description":"d1"}', /e1: d1/],
    ["flat, with a message", '{"message":"No identity","statusCode":400}', /No identity$/],
    ["nested", '{"error":{"code":"c1","message":"m1"}}', /c1: m1/],
    [
      "with an inner error",
      '{"error":{"code":"c1","message":"m1","innererror":{"trace":"hidden"}}}',
      /c1: m1/,
    ],
    ["empty", "", /no response body$/],
    ["an empty object", "{}", /no error text in the response body$/],
    ["unknown", '{"hidden":"x"}', /no error text in the response body$/],
    ["no JSON", "<html>hidden</html>", /no error text in the response body$/],
    [
      "with an id",
      '{"error":"e1","correlationId":"ab-12"}',
      /Correlation id ab-12, issued by the 'AppService' managed identity source/,
    ],
    ["with a strange id", '{"error":"e1","correlationId":"hidden id"}', /e1$/],
  ];
  for (const [name, body, expected] of told) {
    it(`that is ${name} tells its known fields`, async () => {
      const { sources } = fakeHost(ENVIRONMENTS.AppService, {
        answer: () => new Response(body, { status: 400 }),
      });
      await assert.rejects(sources.token(query()), (error) => {
        assert.ok(isKeyboundError(error, "managed_identity_request_failed"));
        assert.equal(error.status, 400);
        assert.match(error.message, expected);
        assert.ok(!error.message.includes("hidden"), error.message);
        return true;
      });
    });
  }

  it("says which source has given its id", async () => {
    const { sources } = fakeHost({}, {
      answer: () => Response.json({ error: "e", correlationId: "ab-12" }, { status: 400 }),
    });
    await assert.rejects(sources.token(query()), /issued by the 'Imds' managed identity source/);
  });

  it("of Imds tells an absent identity and a failing gateway", async () => {
    for (const [status, words] of [[400, /identity is unavailable/], [504, /gateway/]] as const) {
      const { sources, clock } = fakeHost({}, { answer: () => new Response(null, { status }) });
      await assert.rejects(drive(clock, sources.token(query())), (error) => {
        assert.ok(isKeyboundError(error, "managed_identity_request_failed"));
        assert.equal(error.status, status);
        assert.match(error.message, words);
        return true;
      });
    }
  });

  it("holds no secret of the environment, nor the token asked with", async () => {
    for (const [source, environment] of SOURCES) {
      const { sources } = fakeHost(environment, {
        answer: () => new Response("{}", { status: 403 }),
      });
      await assert.rejects(sources.token(query()), (error) => {
        assert.ok(isKeyboundError(error));
        assert.equal(error.source, source);
        assert.ok(!`${error.message} ${error.stack}`.includes(SECRET));
        return true;
      });
    }
  });
});

describe("repetition", () => {
  async function failing(source: SourceName, statuses: readonly number[], id = {}, headers = {}) {
    const retries: Retry[] = [];
    const { sources, sent, clock } = fakeHost(ENVIRONMENTS[source], {
      answer(i) {
        const status = statuses[Math.min(i, statuses.length - 1)]!;
        return status === 200 ? tokenResponse() : new Response("{}", { status, headers });
      },
    });
    const started = clock.now();
    const outcome = await drive(
      clock,
      sources.token(query(id, { onRetry: (retry) => void retries.push(retry) })),
    ).catch((error) => error);
    const code = isKeyboundError(outcome) ? outcome.code : "token";
    return { requests: sent.length, code, took: clock.now() - started, sent, retries, outcome };
  }
  const failed = "managed_identity_request_failed";

  const imds: [string, number[], number, string][] = [
    ["404 twice, then 200", [404, 404, 200], 3, "token"],
    ["410 four times, then 200", [410, 410, 410, 410, 200], 5, "token"],
    ["410 for ever", [410], 8, failed],
    ["504 for ever", [504], 4, failed],
    ["500 with {} for ever", [500], 4, failed],
    ["400, which isn't repeated", [400], 1, failed],
  ];
  for (const [name, statuses, requests, code] of imds) {
    for (const kind of ["the host's own", "a client id"] as const) {
      it(`of Imds for ${kind}: ${name} makes ${requests} requests`, async () => {
        const done = await failing("Imds", statuses, IDENTITIES[kind]);
        assert.deepEqual([done.requests, done.code], [requests, code]);
        assert.equal(done.retries.length, requests - 1);
        for (const { headers, url } of done.sent) {
          assert.equal(headers["x-ms-client-request-id"], CORRELATION_ID);
          assert.equal(url, done.sent[0]!.url);
        }
      });
    }
  }

  for (const [source] of OTHERS) {
    it(`of ${source}: 404, 408, 429, 500, 503 and 504 three times, one second each`, async () => {
      for (const status of [404, 408, 429, 500, 503, 504]) {
        const done = await failing(source, [status]);
        assert.deepEqual([done.requests, done.code], [4, failed], String(status));
        assert.ok(done.took >= 3000 && done.took < 3500, String(done.took));
        assert.equal(done.outcome.retryable, true);
      }
      for (const status of [400, 401, 403, 410, 502]) {
        if (source === "AzureArc" && status === 401) continue;
        assert.equal((await failing(source, [status])).requests, 1, String(status));
      }
      assert.deepEqual((await failing(source, [500, 200])).code, "token");
    });

    it(`of ${source} waits as long as the server asks`, async () => {
      const date = new Date(EPOCH + 5000).toUTCString();
      for (const [value, least] of [["3", 3000], [date, 5000], ["0", 1000]] as const) {
        const done = await failing(source, [500, 200], {}, { "retry-after": value });
        assert.equal(done.code, "token");
        assert.ok(done.took >= least && done.took <= least + 500, `${value}: ${done.took}`);
      }
    });
  }

  it("starts afresh with each of three calls in a row", async () => {
    for (const [source, environment] of SOURCES) {
      const { sources, sent, clock } = fakeHost(environment, {
        answer: () => new Response(null, { status: 503 }),
      });
      for (let call = 1; call <= 3; call++) {
        await assert.rejects(drive(clock, sources.token(query())), { code: failed });
        assert.equal(sent.length, 4 * call, source);
      }
    }
  });

  it("comes after an attempt without an answer, and ends in request_timeout", async () => {
    for (const [source, environment] of SOURCES) {
      const { sources, sent, clock } = fakeHost(environment, {
        answer: () => new Promise(() => {}),
      });
      await assert.rejects(drive(clock, sources.token(query())), {
        code: "request_timeout",
        retryable: true,
        source,
        correlationId: CORRELATION_ID,
      });
      assert.equal(sent.length, 4);
    }
  });
});

describe("a source", () => {
  it("that can't be reached is managed_identity_unreachable_network, and asked once", async () => {
    for (const [source, environment] of SOURCES) {
      const cause = new TypeError("fetch failed");
      const { sources, sent } = fakeHost(environment, { answer: () => Promise.reject(cause) });
      await assert.rejects(sources.token(query()), {
        code: "managed_identity_unreachable_network",
        retryable: true,
        source,
        correlationId: CORRELATION_ID,
        cause,
      });
      assert.equal(sent.length, 1);
    }
  });

  it("that redirects is not followed", async () => {
    for (const [source, environment] of SOURCES) {
      const { sources, sent } = fakeHost(environment, {
        answer: () => new Response(null, { status: 302, headers: { location: "http://x/" } }),
      });
      await assert.rejects(sources.token(query()), { code: "redirect_refused", source });
      assert.deepEqual(sent.map(({ redirect }) => redirect), ["manual"]);
    }
  });

  it("is left at once by an abort, with its reason", async () => {
    for (const [, environment] of SOURCES) {
      const { sources, sent, clock } = fakeHost(environment, {
        answer: () => new Promise(() => {}),
      });
      const controller = new AbortController();
      const token = sources.token(query({}, { signal: controller.signal }));
      token.catch(() => {});
      await until(() => sent.length === 1);
      const reason = new Error("no longer wanted");
      controller.abort(reason);
      await assert.rejects(token, reason);
      assert.equal(clock.sleepers, 0);
      await assert.rejects(sources.token(query({}, { signal: controller.signal })), reason);
      assert.equal(sent.length, 1);
    }
  });

  it("is asked once a call: nothing is cached here", async () => {
    const { sources, sent } = fakeHost(ENVIRONMENTS.AppService);
    await sources.token(query());
    await sources.token(query());
    assert.equal(sent.length, 2);
  });
});
