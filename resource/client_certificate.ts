/**
 * The client certificate that a TLS-terminating proxy tells of in a header.
 *
 * A client can send such a header as well as a proxy. So it counts only where the server is
 * configured to believe it, and that is right only if every request comes through a proxy that
 * replaces or removes what the client sent under this name.
 *
 * @module
 */

import { type Bytes, fromBase64 } from "../src/encoding.ts";
import { KeyboundError } from "../src/errors.ts";
import { decodePem } from "../src/x509/pem.ts";

/**
 * How the certificate is written: `nginx` for `$ssl_client_escaped_cert` (PEM, percent-encoded),
 * `rfc9440` for a structured field with the DER as byte sequence (`Client-Cert`, RFC 9440 section
 * 2.1).
 */
export type CertificateFormat = "nginx" | "rfc9440";

/** A header that a proxy puts the client certificate into. */
export interface CertificateHeader<Trust = true> {
  /** Its name: `client-cert` by RFC 9440. */
  header: string;
  /** How it is written. */
  format: CertificateFormat;
  /**
   * Who is believed: `true` where nobody but the proxy can reach this server, or a function that
   * says whether this request came from it. Of anybody else the header is ignored.
   */
  trustProxy: Trust;
}

/** Longest header that is looked at, in characters. */
const MAX_HEADER = 16_384;

/**
 * Throws `invalid_argument` for a header that can't be one, is written in no known way, or is to be
 * believed without anybody having said of whom.
 */
export function checkCertificateHeader(source: CertificateHeader<unknown>): void {
  const { header, format, trustProxy } = source ?? {};
  const isTrusting = trustProxy === true || typeof trustProxy === "function";
  const isHeader = typeof header === "string" && /^[\w-]{1,128}$/.test(header);
  if (isHeader && isTrusting && (format === "nginx" || format === "rfc9440")) return;
  throw new KeyboundError(
    "invalid_argument",
    "'certificate' must say where the client certificate is; for a proxy's header: 'header', 'format' and 'trustProxy'.",
  );
}

/**
 * The DER of the certificate in a header's value; `undefined` for `null` and an empty one: the
 * client presented none. Whether the sender may be believed is for the caller to know.
 *
 * Throws `invalid_encoding` for anything that isn't exactly one certificate in this format.
 */
export function certificateFromHeader(
  value: string | null,
  format: CertificateFormat,
): Bytes | undefined {
  if (value === null || value === "") return undefined;
  if (value.length > MAX_HEADER) throw unreadable();
  try {
    return format === "rfc9440" ? fromByteSequence(value) : fromEscapedPem(value);
  } catch (cause) {
    throw unreadable(cause);
  }
}

/** `:base64:` and nothing else (RFC 8941 section 3.3.5). */
function fromByteSequence(value: string): Bytes {
  const [, content = ""] = /^:([A-Za-z0-9+/]+={0,2}):$/.exec(value.trim()) ?? [];
  return derOf(fromBase64(content));
}

function fromEscapedPem(value: string): Bytes {
  // Anything else than escapes and what needs none was not written by nginx.
  if (!/^(?:[\w.~+/:=-]|%[0-9A-Fa-f]{2})+$/.test(value)) throw unreadable();
  const [first, ...others] = decodePem(decodeURIComponent(value), "CERTIFICATE");
  if (others.length > 0) throw unreadable();
  return derOf(first!);
}

/** A certificate is a SEQUENCE; which one it is, the thumbprint decides. */
function derOf(bytes: Bytes): Bytes {
  if (bytes[0] !== 0x30) throw unreadable();
  return bytes;
}

function unreadable(cause?: unknown): KeyboundError {
  return new KeyboundError(
    "invalid_encoding",
    "The client certificate's header can't be read. Check its format in the proxy's configuration.",
    { cause },
  );
}
