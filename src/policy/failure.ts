/**
 * What a failed request over mutual TLS means: the credential, the connection, the server, or time.
 *
 * Reads what TLS stacks say of themselves, by `code`, `message` and `name`. A stack of our own
 * says the same words: `ECONNRESET` for a connection that ended, `CERT_...` for a server that
 * can't be trusted, `EPROTO` for other TLS trouble, and the alert by its number.
 *
 * @module
 */

import type { ErrorCode } from "../errors.ts";
import {
  type FailureClass,
  type FailureSignal,
  type FailureVerdict,
  TransportError,
  type TransportFailure,
} from "../transports.ts";

/** TLS alerts by number, those that a handshake can end with. */
const ALERTS: Readonly<Record<number, string>> = {
  10: "unexpected_message",
  20: "bad_record_mac",
  40: "handshake_failure",
  41: "no_certificate",
  42: "bad_certificate",
  43: "unsupported_certificate",
  44: "certificate_revoked",
  45: "certificate_expired",
  46: "certificate_unknown",
  47: "illegal_parameter",
  48: "unknown_ca",
  49: "access_denied",
  50: "decode_error",
  51: "decrypt_error",
  70: "protocol_version",
  71: "insufficient_security",
  80: "internal_error",
  112: "unrecognized_name",
  116: "certificate_required",
};

const HANDSHAKE_FAILURE = 40;

/** The alerts that speak about the client's certificate. */
const CREDENTIAL_ALERTS: readonly number[] = [41, 42, 43, 44, 45, 46, 48, 49, 51, 116];

const TIMEOUT = /^(TimeoutError|ETIMEDOUT|UND_ERR_\w+_TIMEOUT)$/;
const ABORT = /^(AbortError|ABORT_ERR)$/;
const UNTRUSTED =
  /^(CERT_\w+|(ERR_)?TLS_CERT_\w+|(DEPTH_ZERO_)?SELF_SIGNED_CERT\w*|UNABLE_TO_(GET|VERIFY|DECRYPT|DECODE)_\w+|INVALID_(CA|PURPOSE)|PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH|CRL_\w+|\w+_(KEY_TOO_SMALL|MD_TOO_WEAK)|ERR_SSL_CERTIFICATE_VERIFY_FAILED)$/;
const UNREACHABLE = /^(ECONNREFUSED|ENOTFOUND|EAI_\w+|E(HOST|NET)(UNREACH|DOWN)|EADDRNOTAVAIL)$/;
const RESET =
  /^(ECONNRESET|EPIPE|ECONNABORTED|ERR_SOCKET_CLOSED|UND_ERR_SOCKET|ERR_STREAM_PREMATURE_CLOSE)$/;

/** The class of a failure. The first that fits, in the order of the code below, wins. */
export function classifyFailure(failure: TransportFailure): FailureVerdict {
  const { signals, responseStarted, reusedConnection } = failure;
  const any = (pattern: RegExp): boolean =>
    signals.some(({ name = "", code = "" }) => pattern.test(name) || pattern.test(code));

  if (any(TIMEOUT)) return { class: "timeout" };
  if (any(ABORT)) return { class: "aborted" };
  const number = failure.alert ?? alertNumber(signals);
  const alert = number === undefined ? writtenAlert(signals) : ALERTS[number] ?? String(number);
  if (alert !== undefined) return { class: alertClass(number), alert };
  if (any(UNTRUSTED) || signals.some((signal) => /invalid peer cert/.test(signal.message ?? ""))) {
    return { class: "server_untrusted" };
  }
  if (any(UNREACHABLE)) return { class: "unreachable" };
  if (any(RESET)) {
    return { class: responseStarted || reusedConnection ? "peer_reset" : "suspect" };
  }
  return { class: "protocol" };
}

/** The error of a transport for this failure. */
export function transportError(failure: TransportFailure, cause?: unknown): TransportError {
  const verdict = classifyFailure(failure);
  const [code, meaning] = MEANING[verdict.class];
  const advice = verdict.alert === undefined ? meaning : `${meaning} (TLS alert: ${verdict.alert})`;
  return new TransportError(failure, { ...verdict, code, advice }, cause);
}

const MEANING: Readonly<Record<FailureClass, readonly [code: ErrorCode, meaning: string]>> = {
  aborted: ["transport_failed", "The runtime aborted the request."],
  credential_rejected: ["tls_credential_rejected", "The server rejected the client certificate."],
  peer_reset: ["connection_reset", "The connection was reset while it was in use. Try again."],
  protocol: [
    "tls_protocol_error",
    "The peer doesn't speak TLS or HTTP as it should. Check the endpoint and any proxy before it.",
  ],
  server_untrusted: [
    "tls_server_untrusted",
    "The server's certificate can't be verified. Check its host name, its CA and this host's clock.",
  ],
  suspect: [
    "tls_credential_suspect",
    "The connection ended before any answer, which is how many servers refuse a client certificate.",
  ],
  timeout: ["request_timeout", "It took too long. Check that the endpoint is reachable."],
  unreachable: [
    "network_unreachable",
    "The endpoint can't be reached. Check its name, DNS and firewalls.",
  ],
};

/** The alert's number where the signals tell it, in figures or by a name that is known here. */
export function alertNumber(signals: readonly FailureSignal[]): number | undefined {
  for (const { message = "" } of signals) {
    const figures = /\balert number (\d{1,3})\b/.exec(message)?.[1];
    if (figures !== undefined) return Number(figures);
  }
  const name = writtenAlert(signals);
  const known = Object.entries(ALERTS).find((entry) => entry[1] === name);
  return known === undefined ? undefined : Number(known[0]);
}

/** An error and its causes, outermost first, at most 6, as the signals of a failure. */
export function failureSignals(error: unknown): FailureSignal[] {
  const signals: FailureSignal[] = [];
  let link = error;
  while (typeof link === "object" && link !== null && signals.length < 6) {
    const { name, code, message, cause } = link as Record<string, unknown>;
    signals.push({
      ...(typeof name === "string" ? { name } : {}),
      ...(typeof code === "string" ? { code } : {}),
      ...(typeof message === "string" && message !== "" ? { message } : {}),
    });
    link = cause;
  }
  return signals.length > 0 ? signals : [{ message: "The runtime gave no reason." }];
}

function alertClass(alert: number | undefined): FailureClass {
  if (alert === HANDSHAKE_FAILURE) return "suspect";
  return alert !== undefined && CREDENTIAL_ALERTS.includes(alert)
    ? "credential_rejected"
    : "protocol";
}

/**
 * The alert in words: rustls puts it in the message, OpenSSL and BoringSSL in the code. The message
 * goes first: Deno's code says HANDSHAKE_FAILURE for CertificateRequired under TLS 1.2.
 */
function writtenAlert(signals: readonly FailureSignal[]): string | undefined {
  for (const { code = "", message = "" } of signals) {
    const inMessage = /received fatal alert: (\w+)/.exec(message)?.[1];
    if (inMessage !== undefined) {
      return inMessage.replace("CA", "Ca").replace(/\B[A-Z]/g, "_$&").toLowerCase();
    }
    const inCode = /_ALERT_([A-Z_]+)$/.exec(code)?.[1];
    if (inCode !== undefined) return inCode.toLowerCase();
  }
  return undefined;
}
