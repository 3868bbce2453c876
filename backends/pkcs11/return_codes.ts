/**
 * What a return code of a module means, and the error it becomes.
 *
 * The healing rules live on one distinction: `key_unusable` is said only where the token answered
 * and has no such key any more; everything that keeps the token from answering is
 * `key_provider_unavailable`, which throws no certificate away.
 *
 * @module
 */

import { type ErrorCode, KeyboundError } from "../../src/errors.ts";
import { CKR } from "./constants.ts";

/**
 * What can be done about a return code: `key`, look for the key again; `session`, take another
 * session; `login`, log in again; `device`, initialize the module anew; `pin`, nothing but by who
 * knows the PIN; `unsupported`, ask for something else; `other`, nothing.
 */
export type ReturnCodeClass =
  | "device"
  | "key"
  | "login"
  | "other"
  | "pin"
  | "session"
  | "unsupported";

const CLASSES: readonly (readonly [ReturnCodeClass, readonly number[]])[] = [
  ["key", [CKR.KEY_HANDLE_INVALID, CKR.OBJECT_HANDLE_INVALID, CKR.KEY_FUNCTION_NOT_PERMITTED]],
  ["session", [
    CKR.SESSION_CLOSED,
    CKR.SESSION_HANDLE_INVALID,
    CKR.OPERATION_ACTIVE,
    CKR.OPERATION_NOT_INITIALIZED,
  ]],
  ["login", [CKR.USER_NOT_LOGGED_IN]],
  ["device", [
    CKR.SLOT_ID_INVALID,
    CKR.GENERAL_ERROR,
    CKR.FUNCTION_FAILED,
    CKR.DEVICE_ERROR,
    CKR.DEVICE_MEMORY,
    CKR.DEVICE_REMOVED,
    CKR.TOKEN_NOT_PRESENT,
    CKR.TOKEN_NOT_RECOGNIZED,
    CKR.CRYPTOKI_NOT_INITIALIZED,
  ]],
  ["pin", [
    CKR.PIN_INCORRECT,
    CKR.PIN_INVALID,
    CKR.PIN_LEN_RANGE,
    CKR.PIN_EXPIRED,
    CKR.PIN_LOCKED,
    CKR.USER_PIN_NOT_INITIALIZED,
    CKR.USER_ANOTHER_ALREADY_LOGGED_IN,
  ]],
  ["unsupported", [
    CKR.ARGUMENTS_BAD,
    CKR.ATTRIBUTE_READ_ONLY,
    CKR.ATTRIBUTE_TYPE_INVALID,
    CKR.ATTRIBUTE_VALUE_INVALID,
    CKR.DATA_INVALID,
    CKR.DATA_LEN_RANGE,
    CKR.FUNCTION_NOT_SUPPORTED,
    CKR.KEY_SIZE_RANGE,
    CKR.KEY_TYPE_INCONSISTENT,
    CKR.MECHANISM_INVALID,
    CKR.MECHANISM_PARAM_INVALID,
    CKR.TEMPLATE_INCOMPLETE,
    CKR.TEMPLATE_INCONSISTENT,
    CKR.DOMAIN_PARAMS_INVALID,
    CKR.CURVE_NOT_SUPPORTED,
  ]],
];

/** What to do next, where more can be said than the class says. */
const ADVICE: Readonly<Record<number, string>> = {
  [CKR.PIN_INCORRECT]:
    "The PIN is wrong. It is not tried again, so that the token doesn't lock: correct it.",
  [CKR.PIN_INVALID]: "The PIN has characters that the token doesn't take: correct it.",
  [CKR.PIN_LEN_RANGE]: "The PIN is too short or too long for the token: correct it.",
  [CKR.PIN_EXPIRED]: "The PIN has expired: set a new one with the token's own tool.",
  [CKR.PIN_LOCKED]: "The PIN is locked: unlock it with the security officer's PIN.",
  [CKR.USER_PIN_NOT_INITIALIZED]: "The token has no user PIN yet: set one with its own tool.",
  [CKR.USER_ANOTHER_ALREADY_LOGGED_IN]:
    "This process is logged in to the token as its security officer: log out there first.",
  [CKR.TOKEN_WRITE_PROTECTED]:
    "The token is write-protected: make it writable, or use one that is.",
  [CKR.DEVICE_MEMORY]: "The token is full: remove keys or certificates from it.",
  [CKR.SESSION_COUNT]:
    "The token has no session left: lower 'maxSessions', or close other programs.",
  [CKR.CANT_LOCK]: "The module can't be used by several threads: use a newer one.",
};

const CLASS_ADVICE: Readonly<Record<ReturnCodeClass, string>> = {
  key: "The token has no such key any more: open it again, or create a new one.",
  session: "Its session was lost: try again.",
  login: "The token wants a login: give a PIN.",
  device: "Check that the token is there and works, and try again.",
  pin: "Check the PIN.",
  unsupported: "The token can't do this: use another algorithm or token.",
  other: "See the documentation of the module.",
};

/** A return code other than `CKR_OK`. Never leaves this folder. */
export class ReturnCodeError extends Error {
  /** The function that returned it, such as `C_Sign`. */
  readonly operation: string;
  /** The code. */
  readonly returnCode: number;

  /** The failure of `operation`. */
  constructor(operation: string, returnCode: number) {
    super(`${operation} returned ${returnCodeName(returnCode)}.`);
    this.name = "ReturnCodeError";
    this.operation = operation;
    this.returnCode = returnCode;
  }
}

/** What a function that returned this failed with; `undefined` for `CKR_OK`. */
export function failureOf(operation: string, returned: bigint): ReturnCodeError | undefined {
  const code = Number(returned);
  return code === CKR.OK ? undefined : new ReturnCodeError(operation, code);
}

/** The name in the standard, or the number in hex where it isn't one that is known here. */
export function returnCodeName(returnCode: number): string {
  const name = Object.entries(CKR).find(([, value]) => value === returnCode)?.[0];
  return name === undefined ? `CKR 0x${returnCode.toString(16)}` : `CKR_${name}`;
}

/** What can be done about a return code. */
export function classifyReturnCode(returnCode: number): ReturnCodeClass {
  return CLASSES.find(([, codes]) => codes.includes(returnCode))?.[0] ?? "other";
}

/** The class of an error's return code; `undefined` for an error of another kind. */
export function classOf(error: unknown): ReturnCodeClass | undefined {
  return error instanceof ReturnCodeError ? classifyReturnCode(error.returnCode) : undefined;
}

/**
 * The error that callers see: `key_unusable` for a key that is gone, `key_provider_unavailable`
 * for all else, or `code` in its place (a store's `store_unavailable`).
 */
export function toKeyboundError(
  error: unknown,
  subject: string,
  code: ErrorCode = "key_provider_unavailable",
): unknown {
  if (!(error instanceof ReturnCodeError)) return error;
  const { returnCode, operation } = error;
  const kind = classifyReturnCode(returnCode);
  const advice = ADVICE[returnCode] ?? CLASS_ADVICE[kind];
  const isDead = kind === "key" && code === "key_provider_unavailable";
  return new KeyboundError(
    isDead ? "key_unusable" : code,
    `${subject} can't be used: ${operation} returned ${returnCodeName(returnCode)}. ${advice}`,
    { cause: error, retryable: kind === "device" || kind === "session" },
  );
}
