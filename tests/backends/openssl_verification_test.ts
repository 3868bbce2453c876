/**
 * Which chains of a server the OpenSSL transport believes.
 *
 * @module
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { ClientCredential } from "../../src/credential.ts";
import {
  type CertificateAuthority,
  certificateAuthority,
  type CertificateRequest,
  issueCertificate,
  privateKeyPem,
} from "../support/certificates.ts";
import { failsAs, usingOpenssl } from "../support/openssl_transport.ts";
import { synchronousKey } from "../support/synchronous_keys.ts";
import { type ServerPem, tlsAuthority } from "../support/tls_identities.ts";
import { startTlsServers, type TlsServers } from "../support/tls_servers.ts";

const HOSTS = ["localhost"];
const HOUR = 3_600_000;
const EXPIRED = { notBefore: Date.now() - 2 * HOUR, notAfter: Date.now() - HOUR };

describe("the server's chain, to opensslTransport", () => {
  let root: CertificateAuthority;
  let intermediate: CertificateAuthority;
  let selfSigned: ServerPem;
  let credential: ClientCredential;
  let servers: TlsServers;

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
      hosts: HOSTS,
      ...(issuer === undefined ? {} : { issuer }),
      ...more,
    });
    return {
      cert: [pem, ...sent.map((certificate) => certificate.pem)].join(""),
      key: await privateKeyPem(keys!),
    };
  };

  before(async () => {
    root = await certificateAuthority("CN=Root");
    intermediate = await issuerBy();
    selfSigned = await serverBy(undefined);
    const clients = await tlsAuthority("Clients");
    credential = await clients.client(synchronousKey("P-256"));
    const identities: Record<string, ServerPem> = {
      whole: await serverBy(intermediate),
      "without its intermediate": await serverBy(intermediate, {}, []),
      "whose intermediate is all that is trusted": await serverBy(intermediate),
      "with an expired intermediate": await serverBy(await issuerBy(EXPIRED)),
      "with an intermediate that is no authority": await serverBy(
        await issuerBy({ authority: false }),
      ),
      "with an intermediate for other names": await serverBy(await issuerBy({ domain: "example" })),
      "with an intermediate for its name": await serverBy(await issuerBy({ domain: "localhost" })),
      "that is a client's certificate": await serverBy(root, { use: "client" }),
      "that is self-signed": selfSigned,
      "that is for another name": await serverBy(root, { hosts: ["wrong.example"] }),
      "that has a name for an address": await serverBy(root, { hosts: ["127.0.0.1", "other"] }),
      "that names nobody but in its subject": await serverBy(root, { hosts: [] }),
    };
    servers = await startTlsServers(Object.fromEntries(
      Object.entries(identities).map(([name, identity]) => [
        name,
        { kind: "https", ...identity, clientCa: clients.pem },
      ]),
    ));
  });
  after(() => servers?.close());

  const refused = async (server: string, ca: string | readonly string[] = root.pem) =>
    await usingOpenssl(servers, { ca }, async (fetch) => {
      const sent = fetch(server, credential, "/report", { method: "POST", body: "secret" });
      await assert.rejects(sent, failsAs("server_untrusted"), server);
      await servers.next(server, "closed");
      assert.equal(servers.count(server, "data"), 0);
    });
  const taken = async (server: string, ca: string | readonly string[] = root.pem) =>
    await usingOpenssl(servers, { ca }, async (fetch) => {
      assert.equal((await fetch(server, credential)).status, 200);
    });

  for (
    const server of [
      "without its intermediate",
      "with an expired intermediate",
      "with an intermediate that is no authority",
      "with an intermediate for other names",
      "that is a client's certificate",
      "that is self-signed",
      "that is for another name",
      "that has a name for an address",
      "that names nobody but in its subject",
    ]
  ) {
    it(`isn't believed ${server}, and gets nothing`, async () => await refused(server));
  }

  it("is believed when it leads to an authority that is trusted", async () => {
    await taken("whole");
    await taken("with an intermediate for its name");
    await taken("without its intermediate", [root.pem, intermediate.pem]);
  });

  it("isn't believed for an intermediate alone: trust begins at a root", async () => {
    await refused("whose intermediate is all that is trusted", intermediate.pem);
  });

  it("is believed when its own self-signed certificate is what is trusted", async () => {
    await taken("that is self-signed", selfSigned.cert);
  });
});
