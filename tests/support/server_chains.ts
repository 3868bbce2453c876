/**
 * Chains that servers may show, good and bad: what every transport with a verification of its own is
 * tried with.
 *
 * @module
 */

import {
  type CertificateAuthority,
  certificateAuthority,
  type CertificateRequest,
  issueCertificate,
  privateKeyPem,
} from "./certificates.ts";
import type { ServerPem } from "./tls_identities.ts";

const HOUR = 3_600_000;
const EXPIRED = { notBefore: Date.now() - 2 * HOUR, notAfter: Date.now() - HOUR };

/** Chains that lead to no trusted root, or not to a server `localhost`, by what is wrong with them. */
export const BAD_CHAINS = [
  "without its intermediate",
  "with an expired intermediate",
  "with an intermediate that is no authority",
  "with an intermediate for other names",
  "that is a client's certificate",
  "that is self-signed",
  "that is for another name",
  "that has a name for an address",
  "that names nobody but in its subject",
] as const;

/** Chains that are good where the root is trusted. */
export const GOOD_CHAINS = ["whole", "with an intermediate for its name"] as const;

/** Good, too, where its root is trusted and not only its intermediate. */
export const CHAIN_OF_INTERMEDIATE = "whose intermediate is all that is trusted";

/** Servers by the chains that they show. */
export interface ServerChains {
  readonly root: CertificateAuthority;
  /** That of the chains which say nothing else of theirs. */
  readonly intermediate: CertificateAuthority;
  /** PEM of the certificate that the server `that is self-signed` shows. */
  readonly selfSigned: string;
  readonly servers: Readonly<
    Record<
      (typeof BAD_CHAINS)[number] | (typeof GOOD_CHAINS)[number] | typeof CHAIN_OF_INTERMEDIATE,
      ServerPem
    >
  >;
}

/** New ones under a new root. */
export async function serverChains(): Promise<ServerChains> {
  const root = await certificateAuthority("CN=Root");
  /** An intermediate authority of the root; like any other certificate where `more` says so. */
  const issuerBy = async (more: CertificateRequest = {}) =>
    await issueCertificate({
      subject: "CN=Intermediate",
      issuer: root,
      authority: true,
      ...more,
    }) as CertificateAuthority;
  /** A server's certificate, and those that it sends along. */
  const serverBy = async (
    issuer: CertificateAuthority | undefined,
    more: CertificateRequest = {},
    sent: readonly CertificateAuthority[] = issuer === undefined ? [] : [issuer],
  ): Promise<ServerPem> => {
    const { pem, keys } = await issueCertificate({
      subject: "CN=localhost",
      hosts: ["localhost"],
      ...(issuer === undefined ? {} : { issuer }),
      ...more,
    });
    return {
      cert: [pem, ...sent.map((certificate) => certificate.pem)].join(""),
      key: await privateKeyPem(keys!),
    };
  };
  const intermediate = await issuerBy();
  const selfSigned = await serverBy(undefined);
  const servers = {
    "whole": await serverBy(intermediate),
    "with an intermediate for its name": await serverBy(await issuerBy({ domain: "localhost" })),
    [CHAIN_OF_INTERMEDIATE]: await serverBy(intermediate),
    "without its intermediate": await serverBy(intermediate, {}, []),
    "with an expired intermediate": await serverBy(await issuerBy(EXPIRED)),
    "with an intermediate that is no authority": await serverBy(
      await issuerBy({ authority: false }),
    ),
    "with an intermediate for other names": await serverBy(await issuerBy({ domain: "example" })),
    "that is a client's certificate": await serverBy(root, { use: "client" }),
    "that is self-signed": selfSigned,
    "that is for another name": await serverBy(root, { hosts: ["wrong.example"] }),
    "that has a name for an address": await serverBy(root, { hosts: ["127.0.0.1", "other"] }),
    "that names nobody but in its subject": await serverBy(root, { hosts: [] }),
  };
  return { root, intermediate, selfSigned: selfSigned.cert, servers };
}
