/**
 * Which chains of a server the OpenSSL transport believes.
 *
 * @module
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { ClientCredential } from "../../src/credential.ts";
import { failsAs, usingOpenssl } from "../support/openssl_transport.ts";
import {
  BAD_CHAINS,
  CHAIN_OF_INTERMEDIATE,
  GOOD_CHAINS,
  type ServerChains,
  serverChains,
} from "../support/server_chains.ts";
import { synchronousKey } from "../support/synchronous_keys.ts";
import { tlsAuthority } from "../support/tls_identities.ts";
import { startTlsServers, type TlsServers } from "../support/tls_servers.ts";

describe("the server's chain, to opensslTransport", () => {
  let chains: ServerChains;
  let credential: ClientCredential;
  let servers: TlsServers;

  before(async () => {
    chains = await serverChains();
    const clients = await tlsAuthority("Clients");
    credential = await clients.client(synchronousKey("P-256"));
    servers = await startTlsServers(Object.fromEntries(
      Object.entries(chains.servers).map(([name, identity]) => [
        name,
        { kind: "https", ...identity, clientCa: clients.pem },
      ]),
    ));
  });
  after(() => servers?.close());

  const refused = async (server: string, ca: string | readonly string[] = chains.root.pem) =>
    await usingOpenssl(servers, { ca }, async (fetch) => {
      const sent = fetch(server, credential, "/report", { method: "POST", body: "secret" });
      await assert.rejects(sent, failsAs("server_untrusted"), server);
      await servers.next(server, "closed");
      assert.equal(servers.count(server, "data"), 0);
    });
  const taken = async (server: string, ca: string | readonly string[] = chains.root.pem) =>
    await usingOpenssl(servers, { ca }, async (fetch) => {
      assert.equal((await fetch(server, credential)).status, 200);
    });

  for (const server of BAD_CHAINS) {
    it(`isn't believed ${server}, and gets nothing`, async () => await refused(server));
  }

  it("is believed when it leads to an authority that is trusted", async () => {
    for (const server of GOOD_CHAINS) await taken(server);
    await taken("without its intermediate", [chains.root.pem, chains.intermediate.pem]);
  });

  it("isn't believed for an intermediate alone: trust begins at a root", async () => {
    await refused(CHAIN_OF_INTERMEDIATE, chains.intermediate.pem);
  });

  it("is believed when its own self-signed certificate is what is trusted", async () => {
    await taken("that is self-signed", chains.selfSigned);
  });
});
