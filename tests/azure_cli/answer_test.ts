/**
 * What the Azure CLI prints and how it ends.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type CliRun, readCliAnswer } from "../../backends/azure_cli/answer.ts";
import { isKeyboundError } from "../../src/errors.ts";
import { EPOCH, HOUR } from "../support/clock.ts";

const ID = "11111111-2222-4333-8444-555555555555";
const GOOD = {
  accessToken: "ey.token.x",
  expiresOn: "2030-01-01 03:00:00.000000",
  expires_on: (EPOCH + 3 * HOUR) / 1000,
  subscription: "11111111-2222-4333-8444-000000000000",
  tenant: "11111111-2222-4333-8444-000000000001",
  tokenType: "Bearer",
};

const read = (run: Partial<CliRun>) =>
  readCliAnswer({ status: 0, output: "", errors: "", ...run }, EPOCH, ID);
const printed = (output: unknown) =>
  read({ output: typeof output === "string" ? output : JSON.stringify(output) });

describe("what az prints", () => {
  it("is a token with its expiry by expires_on, refreshed at half of more than 2 hours", () => {
    assert.deepEqual(printed(GOOD), {
      accessToken: "ey.token.x",
      expiresOn: EPOCH + 3 * HOUR,
      refreshOn: EPOCH + 1.5 * HOUR,
      source: "AzureCli",
    });
    assert.deepEqual(printed({ ...GOOD, expires_on: (EPOCH + HOUR) / 1000 }), {
      accessToken: "ey.token.x",
      expiresOn: EPOCH + HOUR,
      source: "AzureCli",
    });
    assert.equal(printed(`\n${JSON.stringify(GOOD, null, 2)}\n`).accessToken, "ey.token.x");
    assert.equal(printed({ ...GOOD, tokenType: "bearer" }).accessToken, "ey.token.x");
  });

  const { expires_on: _, ...old } = GOOD;
  const bad: [string, unknown][] = [
    ["is empty", ""],
    ["is no JSON", "Please run az login"],
    ["is cut short", JSON.stringify(GOOD).slice(0, -2)],
    ["has words before it", `WARNING: update\n${JSON.stringify(GOOD)}`],
    ["is an array", [GOOD]],
    ["is null", "null"],
    ["is of an old az, which tells local time only", old],
    ["has expires_on as text", { ...GOOD, expires_on: String(GOOD.expires_on) }],
    ["has expires_on as a date", { ...GOOD, expires_on: GOOD.expiresOn }],
    ["has a fractional expires_on", { ...GOOD, expires_on: GOOD.expires_on + 0.5 }],
    ["has seconds from now", { ...GOOD, expires_on: 3600 }],
    ["has milliseconds", { ...GOOD, expires_on: GOOD.expires_on * 1000 }],
    ["has a negative expires_on", { ...GOOD, expires_on: -1 }],
    ["has no token", { ...GOOD, accessToken: undefined }],
    ["has an empty token", { ...GOOD, accessToken: "" }],
    ["has a token no header can carry", { ...GOOD, accessToken: "a\nb" }],
    ["has a token of 64 KiB and more", { ...GOOD, accessToken: "a".repeat(65_537) }],
    ["has another type", { ...GOOD, tokenType: "pop" }],
    ["has no type", { ...GOOD, tokenType: undefined }],
  ];
  for (const [name, output] of bad) {
    it(`that ${name} is managed_identity_response_parse_failure, and nothing of it is told`, () => {
      assert.throws(() => printed(output), (error) => {
        assert.ok(isKeyboundError(error, "managed_identity_response_parse_failure"));
        assert.deepEqual([error.source, error.correlationId, error.retryable], [
          "AzureCli",
          ID,
          false,
        ]);
        assert.ok(!error.message.includes("ey.token"));
        assert.match(error.message, /2\.54/);
        return true;
      });
    });
  }

  it("that has expired is invalid_token_provider_response_value", () => {
    for (const expires of [EPOCH, EPOCH - HOUR]) {
      assert.throws(() => printed({ ...GOOD, expires_on: expires / 1000 }), {
        code: "invalid_token_provider_response_value",
      });
    }
    assert.equal(printed({ ...GOOD, expires_on: EPOCH / 1000 + 1 }).expiresOn, EPOCH + 1000);
  });
});

describe("an az that fails", () => {
  const signedOut = /Nobody is signed in.*`az login`/;
  const rows: [number | undefined, string, RegExp][] = [
    [1, "ERROR: Please run 'az login' to setup account.", signedOut],
    [1, "ERROR: AADSTS700082: The refresh token has expired due to inactivity.", signedOut],
    [1, "ERROR: AADSTS50076: Due to a configuration change …", signedOut],
    [1, "Interactive authentication is needed. Please run: az login", signedOut],
    [
      1,
      "ERROR: AADSTS500011: The resource principal was not found. Please run: az login",
      /status 1 \(AADSTS500011\)/,
    ],
    [1, "ERROR: AADSTS700016: Application was not found", /status 1 \(AADSTS700016\)/],
    [1, "ERROR: AADSTS65001: The user has not consented", /status 1 \(AADSTS65001\)/],
    [2, "usage: az account", /status 2\. Run/],
    [undefined, "", /status none/],
    [127, "/home/somebody/.azure: python3: not found", /status 127\. Run/],
  ];
  for (const [status, errors, words] of rows) {
    it(`with ${status} and '${errors.slice(0, 40)}' is managed_identity_request_failed`, () => {
      const run = { status, errors: `${errors}\nsecret of /home/somebody eyJ.token.x`, output: "" };
      assert.throws(() => read(run), (error) => {
        assert.ok(isKeyboundError(error, "managed_identity_request_failed"));
        assert.match(error.message, words);
        assert.ok(!/secret|somebody|eyJ|consented|usage/.test(`${error.message} ${error.stack}`));
        return true;
      });
    });
  }

  it("isn't believed, whatever it prints", () => {
    assert.throws(() => read({ status: 1, output: JSON.stringify(GOOD) }), {
      code: "managed_identity_request_failed",
    });
  });
});
