/**
 * Which chains of a server the SChannel transport believes, under Wine: its chains are built by
 * Wine's CryptoAPI.
 *
 * @module
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { schannelTransport } from "../../backends/schannel/mod.ts";
import type { ClientCredential } from "../../src/credential.ts";
import { TransportError } from "../../src/transports.ts";
import {
  BAD_CHAINS,
  CHAIN_OF_INTERMEDIATE,
  GOOD_CHAINS,
  type ServerChains,
  serverChains,
} from "../support/server_chains.ts";
import { tlsAuthority } from "../support/tls_identities.ts";
import { startTlsServers, type TlsServers } from "../support/tls_servers.ts";
import { CapiKeys } from "./support/capi_keys.ts";

describe("the server's chain, to schannelTransport under Wine", () => {
  let chains: ServerChains;
  let keys: CapiKeys;
  let credential: ClientCredential;
  let servers: TlsServers;

  before(async () => {
    chains = await serverChains();
    const clients = await tlsAuthority("Clients");
    keys = await CapiKeys.load();
    credential = await clients.client(keys.create(["rsa_pss_rsae_sha256", "rsa_pkcs1_sha256"]));
    servers = await startTlsServers(Object.fromEntries(
      Object.entries(chains.servers).map(([name, identity]) => [
        name,
        { kind: "https", ...identity, clientCa: clients.pem },
      ]),
    ));
  });
  after(async () => {
    await servers?.close();
    keys?.removeAll();
  });

  const send = async (server: string, ca: string | readonly string[]) => {
    const transport = schannelTransport({ ca });
    try {
      const request = new Request(servers.url(server, "/report"), {
        method: "POST",
        body: "secret",
      });
      const response = await transport.fetch(request, credential);
      await response.body?.cancel();
      return response.status;
    } finally {
      await transport.close();
    }
  };
  const refused = async (server: string, ca: string | readonly string[] = chains.root.pem) => {
    await assert.rejects(send(server, ca), (error) => {
      assert.ok(error instanceof TransportError, String(error));
      assert.equal(error.verdict.class, "server_untrusted", JSON.stringify(error.failure));
      return true;
    });
    assert.equal(servers.count(server, "data"), 0);
  };

  for (const server of BAD_CHAINS) {
    it(`isn't believed ${server}, and gets nothing`, async () => await refused(server));
  }

  it("is believed when it leads to an authority that is trusted", async () => {
    for (const server of GOOD_CHAINS) assert.equal(await send(server, chains.root.pem), 200);
    const both = [chains.root.pem, chains.intermediate.pem];
    assert.equal(await send("without its intermediate", both), 200);
  });

  it("is believed when its own self-signed certificate is what is trusted", async () => {
    assert.equal(await send("that is self-signed", chains.selfSigned), 200);
  });

  it("isn't believed for an intermediate alone: trust begins at a root", async () => {
    await refused(CHAIN_OF_INTERMEDIATE, chains.intermediate.pem);
  });
});
