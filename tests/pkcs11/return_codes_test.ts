/**
 * What return codes become: on this the healing rules stand.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CKR } from "../../backends/pkcs11/constants.ts";
import {
  classifyReturnCode,
  ReturnCodeError,
  returnCodeName,
  toKeyboundError,
} from "../../backends/pkcs11/return_codes.ts";
import { type ErrorCode, KeyboundError } from "../../src/errors.ts";

type Expected = readonly [
  name: keyof typeof CKR,
  code: ErrorCode,
  retryable: boolean,
  advice: RegExp,
];

const EXPECTED: readonly Expected[] = [
  ["KEY_HANDLE_INVALID", "key_unusable", false, /create a new one/],
  ["OBJECT_HANDLE_INVALID", "key_unusable", false, /create a new one/],
  ["KEY_FUNCTION_NOT_PERMITTED", "key_unusable", false, /create a new one/],
  ["SESSION_HANDLE_INVALID", "key_provider_unavailable", true, /try again/],
  ["SESSION_CLOSED", "key_provider_unavailable", true, /try again/],
  ["DEVICE_ERROR", "key_provider_unavailable", true, /Check that the token is there/],
  ["DEVICE_REMOVED", "key_provider_unavailable", true, /Check that the token is there/],
  ["DEVICE_MEMORY", "key_provider_unavailable", true, /full/],
  ["TOKEN_NOT_PRESENT", "key_provider_unavailable", true, /Check that the token is there/],
  ["GENERAL_ERROR", "key_provider_unavailable", true, /Check that the token is there/],
  ["CRYPTOKI_NOT_INITIALIZED", "key_provider_unavailable", true, /try again/],
  ["USER_NOT_LOGGED_IN", "key_provider_unavailable", false, /PIN/],
  ["PIN_INCORRECT", "key_provider_unavailable", false, /not tried again/],
  ["PIN_LOCKED", "key_provider_unavailable", false, /security officer/],
  ["PIN_EXPIRED", "key_provider_unavailable", false, /new one/],
  ["MECHANISM_INVALID", "key_provider_unavailable", false, /another algorithm/],
  ["HOST_MEMORY", "key_provider_unavailable", false, /module/],
];

describe("a return code", () => {
  for (const [name, code, retryable, advice] of EXPECTED) {
    it(`CKR_${name} is ${code}${retryable ? ", retryable" : ""}, and says what to do`, () => {
      const cause = new ReturnCodeError("C_Sign", CKR[name]);
      const error = toKeyboundError(cause, "Key 'k'") as KeyboundError;
      assert.ok(error instanceof KeyboundError);
      assert.equal(error.code, code);
      assert.equal(error.retryable, retryable);
      assert.ok(error.message.startsWith(`Key 'k' can't be used: C_Sign returned CKR_${name}.`));
      assert.match(error.message, advice);
      assert.equal(error.cause, cause);
    });
  }

  it("is a store's failure in a store, whatever it is", () => {
    for (const code of [CKR.OBJECT_HANDLE_INVALID, CKR.DEVICE_REMOVED, CKR.PIN_LOCKED]) {
      const error = toKeyboundError(
        new ReturnCodeError("C_Login", code),
        "It",
        "store_unavailable",
      );
      assert.equal((error as KeyboundError).code, "store_unavailable");
    }
  });

  it("only says that a key is dead where the token answered", () => {
    const dead = Object.values(CKR).filter((code) => classifyReturnCode(code) === "key");
    assert.deepEqual(dead.sort((a, b) => a - b), [
      CKR.KEY_HANDLE_INVALID,
      CKR.KEY_FUNCTION_NOT_PERMITTED,
      CKR.OBJECT_HANDLE_INVALID,
    ]);
  });

  it("that isn't in the standard is shown by its number and is nothing to build on", () => {
    assert.equal(returnCodeName(0x8000_0001), "CKR 0x80000001");
    assert.equal(classifyReturnCode(0x8000_0001), "other");
  });

  it("leaves other errors as they are", () => {
    const error = new TypeError("not a return code");
    assert.equal(toKeyboundError(error, "It"), error);
  });
});
