/**
 * Which of Entra's hosts a request to the emulated token endpoint was meant for.
 *
 * @module
 */

import type { IncomingHttpHeaders } from "node:http";

/** Header in which `entraHosts` says so. */
export const EMULATED_HOST = "x-emulated-host";

/** The host that the token endpoint stands for in one request. */
export interface EmulatedHost {
  /** Scheme and host of the URL that the client asked. */
  readonly origin: string;
  /** Whether such a host asks for a client certificate. Login hosts don't, so they see none. */
  readonly asksForCertificate: boolean;
}

/** The host named in these headers; the emulator's own origin where none is. */
export function emulatedHost(
  headers: IncomingHttpHeaders,
  path: string,
  own: string,
): EmulatedHost {
  const host = headers[EMULATED_HOST]?.toString();
  if (host === undefined) return { origin: own, asksForCertificate: true };
  const asksForCertificate = /^(?:[a-z0-9]+\.)?mtlsauth\./.test(host) ||
    path.startsWith("/dstsv2/");
  return { origin: `https://${host}`, asksForCertificate };
}
