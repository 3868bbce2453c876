/**
 * The status codes of SSPI, SChannel, CNG and CryptoAPI (`winerror.h`): their names, what they
 * say about an alert of the peer, and the errors that are made of them.
 *
 * @module
 */

import { KeyboundError } from "../../src/errors.ts";

/** Codes that the protocol between SChannel and its caller is made of. */
export const STATUS = {
  OK: 0,
  CONTINUE_NEEDED: 0x00090312,
  CONTEXT_EXPIRED: 0x00090317,
  INCOMPLETE_CREDENTIALS: 0x00090320,
  RENEGOTIATE: 0x00090321,
  INCOMPLETE_MESSAGE: 0x80090318,
} as const;

/** Names by code; those that a client can meet. */
const NAMES: Readonly<Record<number, string>> = {
  0x000006ba: "RPC_S_SERVER_UNAVAILABLE",
  0x00090312: "SEC_I_CONTINUE_NEEDED",
  0x00090313: "SEC_I_COMPLETE_NEEDED",
  0x00090314: "SEC_I_COMPLETE_AND_CONTINUE",
  0x00090317: "SEC_I_CONTEXT_EXPIRED",
  0x00090320: "SEC_I_INCOMPLETE_CREDENTIALS",
  0x00090321: "SEC_I_RENEGOTIATE",
  0x00090364: "SEC_I_MESSAGE_FRAGMENT",
  0x800706ba: "RPC_S_SERVER_UNAVAILABLE",
  0x80090003: "NTE_BAD_KEY",
  0x80090005: "NTE_BAD_DATA",
  0x8009000d: "NTE_NO_KEY",
  0x8009000f: "NTE_EXISTS",
  0x80090010: "NTE_PERM",
  0x80090011: "NTE_NOT_FOUND",
  0x80090014: "NTE_BAD_PROV_TYPE",
  0x80090016: "NTE_BAD_KEYSET",
  0x80090019: "NTE_KEYSET_NOT_DEF",
  0x8009001a: "NTE_KEYSET_ENTRY_BAD",
  0x8009001d: "NTE_PROVIDER_DLL_FAIL",
  0x80090020: "NTE_FAIL",
  0x80090022: "NTE_SILENT_CONTEXT",
  0x80090026: "NTE_INVALID_HANDLE",
  0x80090029: "NTE_NOT_SUPPORTED",
  0x80090030: "NTE_DEVICE_NOT_READY",
  0x80090035: "NTE_DEVICE_NOT_FOUND",
  0x80090300: "SEC_E_INSUFFICIENT_MEMORY",
  0x80090301: "SEC_E_INVALID_HANDLE",
  0x80090302: "SEC_E_UNSUPPORTED_FUNCTION",
  0x80090303: "SEC_E_TARGET_UNKNOWN",
  0x80090304: "SEC_E_INTERNAL_ERROR",
  0x80090305: "SEC_E_SECPKG_NOT_FOUND",
  0x80090306: "SEC_E_NOT_OWNER",
  0x80090307: "SEC_E_CANNOT_INSTALL",
  0x80090308: "SEC_E_INVALID_TOKEN",
  0x8009030c: "SEC_E_LOGON_DENIED",
  0x8009030d: "SEC_E_UNKNOWN_CREDENTIALS",
  0x8009030e: "SEC_E_NO_CREDENTIALS",
  0x8009030f: "SEC_E_MESSAGE_ALTERED",
  0x80090310: "SEC_E_OUT_OF_SEQUENCE",
  0x80090311: "SEC_E_NO_AUTHENTICATING_AUTHORITY",
  0x80090317: "SEC_E_CONTEXT_EXPIRED",
  0x80090318: "SEC_E_INCOMPLETE_MESSAGE",
  0x80090320: "SEC_E_INCOMPLETE_CREDENTIALS",
  0x80090321: "SEC_E_BUFFER_TOO_SMALL",
  0x80090322: "SEC_E_WRONG_PRINCIPAL",
  0x80090325: "SEC_E_UNTRUSTED_ROOT",
  0x80090326: "SEC_E_ILLEGAL_MESSAGE",
  0x80090327: "SEC_E_CERT_UNKNOWN",
  0x80090328: "SEC_E_CERT_EXPIRED",
  0x80090329: "SEC_E_ENCRYPT_FAILURE",
  0x80090330: "SEC_E_DECRYPT_FAILURE",
  0x80090331: "SEC_E_ALGORITHM_MISMATCH",
  0x80090349: "SEC_E_CERT_WRONG_USAGE",
  0x8009035d: "SEC_E_INVALID_PARAMETER",
  0x80090367: "SEC_E_APPLICATION_PROTOCOL_MISMATCH",
  0x80092010: "CRYPT_E_REVOKED",
  0x80092012: "CRYPT_E_NO_REVOCATION_CHECK",
  0x80092013: "CRYPT_E_REVOCATION_OFFLINE",
  0x80096004: "TRUST_E_CERT_SIGNATURE",
  0x80096019: "TRUST_E_BASIC_CONSTRAINTS",
  0x800b0101: "CERT_E_EXPIRED",
  0x800b0102: "CERT_E_VALIDITYPERIODNESTING",
  0x800b0103: "CERT_E_ROLE",
  0x800b0104: "CERT_E_PATHLENCONST",
  0x800b0105: "CERT_E_CRITICAL",
  0x800b0106: "CERT_E_PURPOSE",
  0x800b0109: "CERT_E_UNTRUSTEDROOT",
  0x800b010a: "CERT_E_CHAINING",
  0x800b010c: "CERT_E_REVOKED",
  0x800b010d: "CERT_E_UNTRUSTEDTESTROOT",
  0x800b010e: "CERT_E_REVOCATION_FAILURE",
  0x800b010f: "CERT_E_CN_NO_MATCH",
  0x800b0110: "CERT_E_WRONG_USAGE",
  0x800b0112: "CERT_E_UNTRUSTEDCA",
  0x800b0114: "CERT_E_INVALID_NAME",
};

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

/** Codes by which the private key is no longer of use, or can't be used by this account. */
const KEY_UNUSABLE: ReadonlySet<number> = new Set([
  0x80090003,
  0x8009000d,
  0x80090010,
  0x80090011,
  0x80090016,
  0x80090019,
  0x8009001a,
  0x80090022,
  0x80090026,
  0x80090035,
  0x8009030d,
  0x8009030e,
]);

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

/** A status by name and number: `SEC_E_CERT_UNKNOWN (0x80090327)`. */
export function statusText(status: number): string {
  const code = `0x${(status >>> 0).toString(16).padStart(8, "0")}`;
  const name = NAMES[status >>> 0];
  return name === undefined ? code : `${name} (${code})`;
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
  if (!KEY_UNUSABLE.has(code)) return undefined;
  return new KeyboundError(
    "key_unusable",
    `Windows can't sign with the key of the client certificate: ${statusText(status)}.`,
  );
}
