/**
 * What both ends of a live TLS connection show, with certificates valid now.
 *
 * @module
 */

import { webcryptoKeys } from "../../backends/webcrypto/mod.ts";
import { ClientCredential } from "../../src/credential.ts";
import type { KeyAlgorithm, SigningKey } from "../../src/keys.ts";
import { certificateAuthority, issueCertificate, privateKeyPem } from "./certificates.ts";

const HOUR = 3_600_000;
const RSA = {
  name: "RSASSA-PKCS1-v1_5",
  hash: "SHA-256",
  modulusLength: 2048,
  publicExponent: Uint8Array.of(1, 0, 1),
};

/** Certificate and private key of a server, PEM. */
export interface ServerPem {
  readonly cert: string;
  readonly key: string;
}

/** What a server's certificate is like, where it isn't a good one for `localhost`. */
export interface ServerOptions {
  /** Kind of its key. @default "EC" */
  readonly algorithm?: "RSA" | "EC";
  /** Names and addresses it is for. @default localhost and 127.0.0.1 */
  readonly hosts?: readonly string[];
  /** Whether it expired an hour ago. @default false */
  readonly expired?: boolean;
}

/** Options of {@linkcode TlsAuthority.client}. */
export interface ClientOptions {
  /** Whether the certificate expired an hour ago. @default false */
  readonly expired?: boolean;
}

/** Issues what both ends of a connection need. */
export interface TlsAuthority {
  /** PEM of the root. */
  readonly pem: string;
  /** A server's identity. */
  server(options?: ServerOptions): Promise<ServerPem>;
  /** A client's credential over this key, or over a new software key of this kind. */
  client(key: SigningKey | KeyAlgorithm, options?: ClientOptions): Promise<ClientCredential>;
}

/** A new authority with this common name. */
export async function tlsAuthority(name: string): Promise<TlsAuthority> {
  const issuer = await certificateAuthority(`CN=${name}`);
  const validity = (expired: boolean) => ({
    notBefore: Date.now() - 2 * HOUR,
    notAfter: Date.now() + (expired ? -HOUR : 2 * HOUR),
  });
  return {
    pem: issuer.pem,
    async server({ algorithm = "EC", hosts = ["localhost", "127.0.0.1"], expired = false } = {}) {
      const keys = algorithm === "RSA"
        ? await crypto.subtle.generateKey(RSA, true, ["sign", "verify"])
        : undefined;
      const issued = await issueCertificate({
        subject: `CN=${hosts[0]}`,
        issuer,
        hosts,
        ...validity(expired),
        ...(keys === undefined ? {} : { keys }),
      });
      return { cert: issued.pem, key: await privateKeyPem(issued.keys!) };
    },
    async client(key, { expired = false } = {}) {
      const held = typeof key === "string"
        ? await webcryptoKeys().create(`client-${key}`, { algorithm: key })
        : key;
      const { der } = await issueCertificate({ issuer, spki: held.spki, ...validity(expired) });
      return await ClientCredential.create([der], held);
    },
  };
}
