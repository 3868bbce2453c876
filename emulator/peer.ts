/**
 * The client certificate of a TLS connection.
 *
 * @module
 */

import { createHash, type X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import { keyThumbprint } from "./csr_judge.ts";

/** A client certificate that was presented, trusted or not. */
export interface Peer {
  readonly certificate: X509Certificate;
  /** `x5t#S256`. */
  readonly thumbprint: string;
  /** base64url SHA-256 of its SubjectPublicKeyInfo. */
  readonly keyThumbprint: string;
  /** Common name; means something only for a certificate that is trusted. */
  readonly commonName: string;
  /** Domain component; likewise. */
  readonly domainComponent: string;
}

/** What a connection presented; `undefined` without a certificate. */
export function readPeer(socket: TLSSocket): Peer | undefined {
  const certificate = socket.getPeerX509Certificate();
  return certificate === undefined ? undefined : describePeer(certificate);
}

/** The certificate with what the endpoints ask of it. */
export function describePeer(certificate: X509Certificate): Peer {
  const spki = certificate.publicKey.export({ format: "der", type: "spki" });
  const field = (type: string) =>
    certificate.subject?.split("\n").find((line) => line.startsWith(`${type}=`))
      ?.slice(type.length + 1) ?? "";
  return {
    certificate,
    thumbprint: createHash("sha256").update(certificate.raw).digest("base64url"),
    keyThumbprint: keyThumbprint(spki),
    commonName: field("CN"),
    domainComponent: field("DC"),
  };
}
