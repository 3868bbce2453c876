/**
 * What a status of NCrypt means, and the error it becomes.
 *
 * The healing rules live on one distinction: a key is `key_unusable` only where Windows answered
 * and has no working key of this name; whatever keeps it from answering is
 * `key_provider_unavailable`, which throws no certificate away.
 *
 * @module
 */

import { KeyboundError } from "../../src/errors.ts";
import type { KeyStrength } from "../../src/keys.ts";

/**
 * `absent`: no key of this name. `dead`: there is one, and it will not work again. `unsupported`:
 * this host, or this provider, can't do it. `unreachable`: later perhaps. `denied`: not for this
 * user. `other`: it isn't known what that means.
 */
export type StatusClass = "absent" | "dead" | "denied" | "other" | "unreachable" | "unsupported";

/** Names and meanings of `winerror.h`. */
const STATUSES: Readonly<Record<number, readonly [name: string, meaning: StatusClass]>> = {
  0x80090003: ["NTE_BAD_KEY", "dead"],
  0x80090004: ["NTE_BAD_LEN", "unsupported"],
  0x80090005: ["NTE_BAD_DATA", "dead"],
  0x80090008: ["NTE_BAD_ALGID", "unsupported"],
  // What a Windows says that doesn't know the flags of VBS yet.
  0x80090009: ["NTE_BAD_FLAGS", "unsupported"],
  0x8009000b: ["NTE_BAD_KEY_STATE", "dead"],
  0x8009000d: ["NTE_NO_KEY", "dead"],
  0x8009000e: ["NTE_NO_MEMORY", "unreachable"],
  0x80090010: ["NTE_PERM", "denied"],
  0x80090011: ["NTE_NOT_FOUND", "absent"],
  0x80090013: ["NTE_BAD_PROVIDER", "unsupported"],
  0x80090015: ["NTE_BAD_PUBLIC_KEY", "dead"],
  0x80090016: ["NTE_BAD_KEYSET", "absent"],
  0x80090017: ["NTE_PROV_TYPE_NOT_DEF", "unsupported"],
  0x80090019: ["NTE_KEYSET_NOT_DEF", "unsupported"],
  0x8009001a: ["NTE_KEYSET_ENTRY_BAD", "dead"],
  0x8009001d: ["NTE_PROVIDER_DLL_FAIL", "unsupported"],
  0x8009001e: ["NTE_PROV_DLL_NOT_FOUND", "unsupported"],
  0x80090020: ["NTE_FAIL", "other"],
  0x80090022: ["NTE_SILENT_CONTEXT", "denied"],
  0x80090023: ["NTE_TOKEN_KEYSET_STORAGE_FULL", "denied"],
  0x80090024: ["NTE_TEMPORARY_PROFILE", "denied"],
  0x80090026: ["NTE_INVALID_HANDLE", "other"],
  0x80090027: ["NTE_INVALID_PARAMETER", "other"],
  0x80090029: ["NTE_NOT_SUPPORTED", "unsupported"],
  0x8009002c: ["NTE_DECRYPTION_FAILURE", "dead"],
  0x8009002d: ["NTE_INTERNAL_ERROR", "other"],
  0x8009002e: ["NTE_UI_REQUIRED", "denied"],
  0x80090030: ["NTE_DEVICE_NOT_READY", "unreachable"],
  0x80090032: ["NTE_VALIDATION_FAILED", "dead"],
  0x80090035: ["NTE_DEVICE_NOT_FOUND", "unsupported"],
  // VBS key isolation isn't there (protocol.md section 2.2).
  0x80890014: ["VBS key isolation not available", "unsupported"],
  0x80070005: ["E_ACCESSDENIED", "denied"],
  0x800706ba: ["RPC_S_SERVER_UNAVAILABLE", "unreachable"],
  0x800706be: ["RPC_S_CALL_FAILED", "unreachable"],
  // A TPM that was cleared doesn't take the keys it made before.
  0x8028009f: ["TPM_20_E_INTEGRITY", "dead"],
  0x80280800: ["TPM_E_RETRY", "unreachable"],
  0x80280803: ["TPM_E_DEFEND_LOCK_RUNNING", "unreachable"],
  0x80280921: ["TPM_20_E_LOCKOUT", "unreachable"],
  0x80280922: ["TPM_20_E_RETRY", "unreachable"],
  0x80284006: ["TBS_E_IOERROR", "unreachable"],
  0x80284008: ["TBS_E_SERVICE_NOT_RUNNING", "unreachable"],
  0x8028400b: ["TBS_E_SERVICE_START_PENDING", "unreachable"],
  0x8028400d: ["TBS_E_COMMAND_CANCELED", "unreachable"],
  0x8028400f: ["TBS_E_TPM_NOT_FOUND", "unsupported"],
  0x80284010: ["TBS_E_SERVICE_DISABLED", "unsupported"],
  0x80290401: ["TPM_E_PCP_DEVICE_NOT_READY", "unreachable"],
  0x80290404: ["TPM_E_PCP_FLAG_NOT_SUPPORTED", "unsupported"],
  0x80290405: ["TPM_E_PCP_NOT_SUPPORTED", "unsupported"],
};

const NOT_READY: readonly number[] = [0x80090030, 0x80290401, 0x80284008];

const ADVICE: Readonly<Record<StatusClass, string>> = {
  absent: "There is no such key any more: open it again, or create a new one.",
  dead: "The key will not work again: create a new one.",
  denied: "This user may not use the key, or not without being asked: check its permissions.",
  other: "See the status in Microsoft's documentation.",
  unreachable: "Check that the service 'KeyIso' runs and the TPM is ready, and try again.",
  unsupported: "This host can't do that: use another kind of key.",
};

/** A status other than `ERROR_SUCCESS`. Never leaves this folder but as a cause. */
export class StatusError extends Error {
  /** The function that returned it, such as `NCryptSignHash`. */
  readonly operation: string;
  /** The status, unsigned. */
  readonly status: number;

  /** The failure of `operation`. */
  constructor(operation: string, status: number) {
    super(`${operation} returned ${statusName(status)}.`);
    this.name = "StatusError";
    this.operation = operation;
    this.status = status >>> 0;
  }
}

/** The name in `winerror.h`, and the number in hex. */
export function statusName(status: number): string {
  const number = `0x${(status >>> 0).toString(16)}`;
  const name = STATUSES[status >>> 0]?.[0];
  return name === undefined ? number : `${name} (${number})`;
}

/** What a status means. */
export function classifyStatus(status: number): StatusClass {
  return STATUSES[status >>> 0]?.[1] ?? "other";
}

/** The class of an error's status; `undefined` for an error of another kind. */
export function classOf(error: unknown): StatusClass | undefined {
  return error instanceof StatusError ? classifyStatus(error.status) : undefined;
}

/**
 * Whether this failure says that the host has no such keys at all. On a host without a TPM the
 * Platform Crypto Provider says that its device isn't ready.
 */
export function isTierMissing(error: unknown): boolean {
  return error instanceof StatusError &&
    (classifyStatus(error.status) === "unsupported" || NOT_READY.includes(error.status));
}

/**
 * Whether this failure of an open or a signature proves that the key is dead. Nobody has written
 * down what Windows says of a key of another boot, so that of a KeyGuard key everything counts that
 * doesn't say otherwise (as in the reference, protocol.md section 2.2).
 */
export function provesDeath(error: unknown, strength: KeyStrength): boolean {
  const meaning = classOf(error);
  return meaning === "absent" || meaning === "dead" ||
    (strength === "keyguard" && (meaning === "other" || meaning === "unsupported"));
}

/** The error that callers see; what isn't a {@linkcode StatusError} passes. */
export function toKeyboundError(error: unknown, subject: string, strength: KeyStrength): unknown {
  if (!(error instanceof StatusError)) return error;
  const meaning = classifyStatus(error.status);
  const isDead = provesDeath(error, strength);
  return new KeyboundError(
    isDead ? "key_unusable" : "key_provider_unavailable",
    `${subject} can't be used: ${error.message} ${ADVICE[isDead ? "dead" : meaning]}`,
    { cause: error, retryable: !isDead && meaning === "unreachable" },
  );
}
