/**
 * New connections: whom they are to, and what they resume.
 *
 * @module
 */

import { isIP } from "node:net";
import { KeyboundError } from "../../src/errors.ts";
import type { ConnectionHandles } from "./connection.ts";
import { cText, type Openssl } from "./openssl.ts";

/** `SSL_ctrl` command (`openssl/ssl.h`). */
const CTRL_SET_TLSEXT_HOSTNAME = 55;

/** `X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT`. */
const HOST_FLAGS = 0x4 | 0x20;

/** Letters, digits, hyphens and, since they are in use, underscores; names of IDNA as `xn--`. */
const HOST_NAME = /^\w([\w-]|\.(?!\.))*$/;

/** Options of {@linkcode openConnection}. */
export interface ConnectionTarget {
  /** Host name or IP address that the server's certificate must be for. */
  readonly host: string;
  /** A session to resume; stays the caller's. */
  readonly session?: bigint;
}

/** The handles of a new connection with the rules of a context (`SSL_CTX`). */
export function openConnection(
  openssl: Openssl,
  context: bigint,
  { host, session }: ConnectionTarget,
): ConnectionHandles {
  const { crypto, ssl } = openssl;
  crypto.ERR_clear_error();
  const connection = ssl.SSL_new(context);
  openssl.expect(connection !== 0n, "OpenSSL gave no connection");
  try {
    const [incoming, outgoing] = [openBio(openssl), openBio(openssl)];
    ssl.SSL_set_bio(connection, incoming, outgoing);
    ssl.SSL_set_connect_state(connection);
    expectHost(openssl, connection, host);
    if (session !== undefined) ssl.SSL_set_session(connection, session);
    return { ssl: connection, incoming, outgoing };
  } catch (error) {
    ssl.SSL_free(connection);
    throw error;
  }
}

function openBio(openssl: Openssl): bigint {
  const bio = openssl.crypto.BIO_new(openssl.crypto.BIO_s_mem());
  openssl.expect(bio !== 0n, "OpenSSL gave no memory");
  return bio;
}

/** The server's certificate must be for `host`; a name goes into the first message, too. */
function expectHost(openssl: Openssl, connection: bigint, host: string): void {
  const { crypto, ffi, ssl } = openssl;
  ssl.SSL_set_hostflags(connection, HOST_FLAGS);
  if (isIP(host) !== 0) {
    const param = ssl.SSL_get0_param(connection);
    const set = crypto.X509_VERIFY_PARAM_set1_ip_asc(param, cText(host));
    openssl.expect(set === 1, "OpenSSL refused the IP address");
    return;
  }
  // To OpenSSL no name means any name, and one that begins with a dot all names below it.
  if (!HOST_NAME.test(host)) {
    throw new KeyboundError("invalid_argument", "The name of the server is no host name.");
  }
  // Without the dot at the end (RFC 6066 section 3).
  const name = cText(host.replace(/\.$/, ""));
  const isSet = ssl.SSL_set1_host(connection, name) === 1 &&
    ssl.SSL_ctrl(connection, CTRL_SET_TLSEXT_HOSTNAME, 0n, ffi.addressOf(name)) === 1n;
  // `name` is named here so that it lives until now.
  openssl.expect(isSet && name.length > 1, "OpenSSL refused the host name");
}
