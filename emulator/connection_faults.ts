/**
 * Performs connection faults on an accepted TCP connection.
 *
 * @module
 */

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import type { ServerIdentity } from "./authority.ts";
import type { AlertName, ConnectionFault } from "./steps.ts";
import { rejectHandshake, resetAfter } from "./tls_fault/mod.ts";

/** Alert numbers (RFC 8446 section 6). */
const ALERTS: Readonly<Record<AlertName, number>> = {
  handshake_failure: 40,
  bad_certificate: 42,
  unsupported_certificate: 43,
  certificate_revoked: 44,
  certificate_expired: 45,
  certificate_unknown: 46,
  illegal_parameter: 47,
  unknown_ca: 48,
  access_denied: 49,
  decode_error: 50,
  decrypt_error: 51,
  protocol_version: 70,
  internal_error: 80,
  certificate_required: 116,
};

/** What a faulty handshake shows of the server. */
export interface FaultIdentity {
  /** DER certificates, leaf first. */
  readonly chain: readonly Uint8Array[];
  readonly privateKey: KeyObject;
}

/** The identity of a listener, as faulty handshakes want it. */
export function faultIdentity(identity: ServerIdentity): FaultIdentity {
  return {
    chain: [Uint8Array.from(new X509Certificate(identity.cert).raw)],
    privateKey: createPrivateKey(identity.key),
  };
}

/** Does to this connection what the fault says. */
export function performFault(
  socket: Socket,
  fault: Exclude<ConnectionFault, { kind: "pass" }>,
  identity: FaultIdentity,
): void {
  const options = {
    ...identity,
    ...(fault.version === undefined ? {} : { version: fault.version }),
  };
  switch (fault.kind) {
    case "alert": {
      const alert = typeof fault.alert === "number" ? fault.alert : ALERTS[fault.alert];
      void rejectHandshake(socket, { ...options, alert });
      return;
    }
    case "close":
      void resetAfter(socket, fault.at, fault.how ?? "reset", options);
      return;
    case "silent":
      socket.on("error", () => {});
      socket.resume();
      return;
    case "plain_http":
      socket.on("error", () => {});
      socket.once("data", () => {
        socket.resume();
        socket.end("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
      });
  }
}
