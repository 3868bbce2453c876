/**
 * The status codes of SSPI, SChannel, CNG and CryptoAPI (`winerror.h`): what they say about an alert
 * of the peer, the key and the server's certificate, and the errors that are made of them.
 *
 * @module
 */

import { KeyboundError } from "../../src/errors.ts";
import { statusText } from "./status_names.ts";

/** Codes that the protocol between SChannel and its caller is made of. */
export const STATUS = {
  OK: 0,
  CONTINUE_NEEDED: 0x00090312,
  CONTEXT_EXPIRED: 0x00090317,
  INCOMPLETE_CREDENTIALS: 0x00090320,
  RENEGOTIATE: 0x00090321,
  INCOMPLETE_MESSAGE: 0x80090318,
} as const;

/**
 * The alert that a status stands for when the peer sent one (Microsoft's "Schannel error codes for
 * TLS and SSL alerts"). Several alerts share a status: the one given is that of the same class.
 */
const ALERTS: Readonly<Record<number, number>> = {
  0x80090302: 70, // protocol_version
  0x8009030c: 49, // access_denied
  0x8009030f: 20, // bad_record_mac
  0x80090325: 48, // unknown_ca
  0x80090326: 40, // handshake_failure, illegal_parameter, decode_error: the first, a suspect
  0x80090327: 46, // bad_certificate, unsupported_certificate, certificate_unknown
  0x80090328: 45, // certificate_expired
  0x80090330: 51, // decrypt_error
  0x80090331: 71, // insufficient_security
  0x80092010: 44, // certificate_revoked
};

/** `SEC_E_MESSAGE_ALTERED`, `SEC_E_OUT_OF_SEQUENCE` and `SEC_E_DECRYPT_FAILURE`. */
const DAMAGED: ReadonlySet<number> = new Set([0x8009030f, 0x80090310, 0x80090330]);

/** Codes by which the private key is no longer of use. */
const KEY_UNUSABLE: ReadonlySet<number> = new Set([
  0x80090003,
  0x8009000d,
  0x80090011,
  0x80090016,
  0x80090019,
  0x8009001a,
  0x80090026,
  0x80090035,
  0x8009030d,
  0x8009030e,
]);

/** `NTE_PERM` and `NTE_SILENT_CONTEXT`: the key may be well, and isn't for this account. */
const KEY_DENIED: ReadonlySet<number> = new Set([0x80090010, 0x80090022]);

/** Codes that prove nothing about the key: the service behind it can't be reached just now. */
const KEY_SERVICE_DOWN: ReadonlySet<number> = new Set([
  0x000006ba,
  0x800706ba,
  0x8009001d,
  0x80090030,
  0x80090300,
]);

/** What a failed server certificate is called by other stacks, in the classifier's words. */
const UNTRUSTED: Readonly<Record<number, string>> = {
  0x80092010: "CERT_REVOKED",
  0x80096004: "CERT_SIGNATURE_FAILURE",
  0x80096019: "INVALID_CA",
  0x800b0101: "CERT_HAS_EXPIRED",
  0x800b0103: "INVALID_CA",
  0x800b0104: "PATH_LENGTH_EXCEEDED",
  0x800b0106: "INVALID_PURPOSE",
  0x800b0109: "CERT_UNTRUSTED",
  0x800b010a: "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  0x800b010c: "CERT_REVOKED",
  0x800b010d: "CERT_UNTRUSTED",
  0x800b010f: "HOSTNAME_MISMATCH",
  0x800b0110: "INVALID_PURPOSE",
  0x800b0112: "CERT_UNTRUSTED",
};

/**
 * What no policy excuses of the trust status of a chain (`CERT_TRUST_...`), gravest first, and the
 * status that a policy has for it.
 */
const CHAIN_FAULTS: readonly (readonly [bits: number, status: number])[] = [
  [0x8, 0x80096004], // IS_NOT_SIGNATURE_VALID
  [0x4000004, 0x800b010c], // IS_EXPLICIT_DISTRUST, IS_REVOKED
  [0x10080, 0x800b010a], // IS_PARTIAL_CHAIN, IS_CYCLIC
  [0x20, 0x800b0109], // IS_UNTRUSTED_ROOT
  [0x1, 0x800b0101], // IS_NOT_TIME_VALID
  [0x400, 0x80096019], // INVALID_BASIC_CONSTRAINTS
  [0x10, 0x800b0110], // IS_NOT_VALID_FOR_USAGE
  [0xc800, 0x800b0114], // INVALID_, HAS_NOT_PERMITTED_, HAS_EXCLUDED_NAME_CONSTRAINT
  [0x8000100, 0x800b0105], // HAS_NOT_SUPPORTED_CRITICAL_EXT, INVALID_EXTENSION
];

/** The status of the gravest fault in the trust status of a chain; `undefined` for none. */
export function chainFault(trustStatus: number): number | undefined {
  return CHAIN_FAULTS.find(([bits]) => (trustStatus & bits) !== 0)?.[1];
}

/** Whether a status is an error and no information (`FAILED` of `winerror.h`). */
export function isFailure(status: number): boolean {
  return (status | 0) < 0;
}

/** An error of the TLS stack with the `code` that the classifier of failures knows. */
export function tlsError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

/**
 * Why a connection failed: `key_unusable` or `key_provider_unavailable` where the key did, else an
 * error under `EPROTO` that names the alert, `alert` where it was seen or that of the status.
 */
export function connectionFailure(what: string, status: number, alert?: number): Error {
  const text = `${what}: ${statusText(status)}`;
  const number = alert ?? ALERTS[status >>> 0];
  if (number !== undefined) return tlsError("EPROTO", `${text}: alert number ${number}`);
  return keyFailure(status) ?? tlsError("EPROTO", text);
}

/**
 * Why a connection can't go on. As {@linkcode connectionFailure}, but a record that can't be
 * decrypted was damaged on its way: it says nothing of the client's certificate.
 */
export function recordFailure(what: string, status: number): Error {
  return DAMAGED.has(status >>> 0)
    ? tlsError("EPROTO", `${what}: ${statusText(status)}`)
    : connectionFailure(what, status);
}

/** Why there is no credential handle. `transport_not_available` unless the key is to blame. */
export function credentialFailure(status: number): KeyboundError {
  return keyFailure(status) ?? new KeyboundError(
    "transport_not_available",
    `SChannel refused the credential or the TLS versions asked for: ${statusText(status)}.`,
  );
}

/** What the policy of a server's certificate chain came to (`dwError`, not 0). */
export function serverFailure(status: number): Error {
  const code = UNTRUSTED[status >>> 0] ??
    `CERT_VERIFY_ERROR_${(status >>> 0).toString(16).toUpperCase()}`;
  return tlsError(
    code,
    `The server's certificate was refused: ${statusText(status)} (${code}).`,
  );
}

function keyFailure(status: number): KeyboundError | undefined {
  const code = status >>> 0;
  if (KEY_SERVICE_DOWN.has(code)) {
    return new KeyboundError(
      "key_provider_unavailable",
      `Windows can't reach the service that holds the key: ${statusText(status)}. Try again.`,
      { retryable: true },
    );
  }
  if (KEY_DENIED.has(code)) {
    return new KeyboundError(
      "key_provider_unavailable",
      `Windows may not use the key of the client certificate: ${statusText(status)}. ` +
        "Check its permissions.",
    );
  }
  if (!KEY_UNUSABLE.has(code)) return undefined;
  return new KeyboundError(
    "key_unusable",
    `Windows can't sign with the key of the client certificate: ${statusText(status)}.`,
  );
}
