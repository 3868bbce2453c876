/**
 * Mutual TLS with software keys through the TLS stack of Node, Deno or Bun (`node:https`).
 *
 * @module
 */

import { isPemExportable } from "../../src/keys.ts";
import type { MtlsTransport } from "../../src/transports.ts";
import { encodePem } from "../../src/x509/pem.ts";
import type { HttpsTransportOptions } from "../http/options.ts";
import { httpsSettings, HttpsTransport } from "../http/transport.ts";
import { trustAnchors } from "../http/trust_anchors.ts";
import { clientPem } from "./client_pem.ts";

/** Options of {@linkcode nodeTlsTransport}. */
export interface NodeTlsOptions extends HttpsTransportOptions {
  /**
   * PEM certificates of the authorities that servers are verified against, in place of the
   * runtime's own list.
   */
  ca?: string | readonly string[];
}

/**
 * A transport for keys that can be exported as PEM; on each of the three runtimes the same.
 *
 * - Certificate and key are checked against each other before the first use; a request is written
 *   only when the server has been verified, also with `NODE_TLS_REJECT_UNAUTHORIZED` set.
 * - `pooled` requests use a connection of their own all the same when they have a method other than
 *   GET, HEAD, OPTIONS, PUT and DELETE, or a body of 64 KiB and more: Deno re-sends a request when
 *   the kept-alive connection it was sent on is reset. Idempotent requests may so be sent twice
 *   there; elsewhere they fail as `peer_reset`.
 * - A body of less than 64 KiB is sent with its length, once all of it is there; a longer one is
 *   streamed, in chunks unless the caller declares `content-length`. Headers that belong to the
 *   connection, `host` included, are the transport's own.
 * - Read a response's body to its end or cancel it: its connection is held until then. Nothing is
 *   decompressed, since nothing compressed is asked for. A body without a length that ends with
 *   the connection passes for whole: `node:https` doesn't tell whether TLS was closed properly.
 * - On Deno a response nobody reads piles up in memory: Deno reads on from a TLS socket that is
 *   paused.
 * - The key stays in this process's memory as PEM until its credential is retired, the transport
 *   closed, or `maxCredentials` others have been used since.
 *
 * Besides what the port says, `fetch` rejects before any network with `key_unusable` or what
 * `exportPem` rejects with, `certificate_key_mismatch`, `unsupported_key`, and `invalid_argument` for
 * an empty version range, a header that can't be sent, a used body and one that isn't as long as
 * declared; of a body that is streamed the last shows on the way. Throws `invalid_argument` for
 * an option out of range and `invalid_pem` for a `ca` without certificates.
 *
 * @example
 * ```ts
 * const transport = nodeTlsTransport();
 * const request = new Request("https://resource.example/", { headers: { authorization } });
 * const response = await transport.fetch(request, credential);
 * ```
 */
export function nodeTlsTransport(options: NodeTlsOptions = {}): MtlsTransport {
  const settings = httpsSettings(options);
  // One by one: a runtime may pass over what it can't read, and trust its own.
  const ca = options.ca === undefined
    ? undefined
    : trustAnchors(options.ca).map((der) => encodePem("CERTIFICATE", der));
  return new HttpsTransport({
    name: "node_tls",
    accepts: isPemExportable,
    createAgents: async (credential, versions) => {
      const { credentialAgents } = await import("./agents.ts");
      return credentialAgents(await clientPem(credential), versions, { ...settings, ca });
    },
  }, settings);
}
