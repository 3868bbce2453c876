/**
 * What OpenSSL says of a failure, in the words that `policy/failure.ts` knows.
 *
 * @module
 */

/** An entry of OpenSSL's error queue (ERR_get_error(3)). */
export interface QueuedError {
  /** The packed code. */
  readonly code: bigint;
  /** `error:0A000412:SSL routines::ssl/tls alert bad certificate`. */
  readonly text: string;
}

const SSL_LIBRARY = 20n;

/** `SSL_AD_REASON_OFFSET`: an alert from the peer has its number plus this as its reason. */
const ALERT_OFFSET = 1000;

/** Names of `X509_V_ERR_...` by number (`openssl/x509_vfy.h`), those that a server brings about. */
const VERIFY_ERRORS: Readonly<Record<number, string>> = {
  2: "UNABLE_TO_GET_ISSUER_CERT",
  7: "CERT_SIGNATURE_FAILURE",
  9: "CERT_NOT_YET_VALID",
  10: "CERT_HAS_EXPIRED",
  18: "DEPTH_ZERO_SELF_SIGNED_CERT",
  19: "SELF_SIGNED_CERT_IN_CHAIN",
  20: "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  21: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  22: "CERT_CHAIN_TOO_LONG",
  23: "CERT_REVOKED",
  24: "INVALID_CA",
  25: "PATH_LENGTH_EXCEEDED",
  26: "INVALID_PURPOSE",
  27: "CERT_UNTRUSTED",
  28: "CERT_REJECTED",
  62: "HOSTNAME_MISMATCH",
  64: "CERT_IP_ADDRESS_MISMATCH",
  66: "EE_KEY_TOO_SMALL",
  67: "CA_KEY_TOO_SMALL",
  68: "CA_MD_TOO_WEAK",
};

/** The alert that the peer sent, by number, where these errors are about one. */
export function receivedAlert(errors: readonly QueuedError[]): number | undefined {
  for (const { code } of errors) {
    const library = code >> 23n & 0xffn;
    const alert = Number(code & 0x7fffffn) - ALERT_OFFSET;
    if (library === SSL_LIBRARY && alert >= 0 && alert <= 255) return alert;
  }
  return undefined;
}

/** An error of the TLS stack with the `code` that the classifier of failures knows. */
export function tlsError(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

/** The errors as one, under `EPROTO`; an alert is named by its number. */
export function failureOf(errors: readonly QueuedError[], what: string): Error {
  const alert = receivedAlert(errors);
  const texts = errors.length === 0 ? ["no reason given"] : errors.map(({ text }) => text);
  const number = alert === undefined ? "" : `: alert number ${alert}`;
  return tlsError("EPROTO", `${what}: ${texts.join("; ")}${number}`);
}

/** What certificate verification found (`result` isn't 0), with OpenSSL's words for it. */
export function verificationFailure(result: number, text: string): Error {
  const code = VERIFY_ERRORS[result] ?? `CERT_VERIFY_ERROR_${result}`;
  return tlsError(code, `The server's certificate was refused: ${text} (${code}).`);
}
