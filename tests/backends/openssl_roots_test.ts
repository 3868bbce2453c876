/**
 * What OpenSSL does where nobody says: whom it trusts, and what it offers to speak.
 *
 * @module
 */

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setEnvironment } from "../support/native_environment.ts";
import { failsAs, MODES, usingOpenssl } from "../support/openssl_transport.ts";
import { synchronousKey } from "../support/synchronous_keys.ts";
import { type TlsAuthority, tlsAuthority } from "../support/tls_identities.ts";
import type { RequestReport } from "../support/tls_protocol.ts";
import { startTlsServers, type TlsServers } from "../support/tls_servers.ts";

describe("opensslTransport without trust anchors of its own", () => {
  let authority: TlsAuthority;
  let servers: TlsServers;
  let folder: string;

  before(async () => {
    authority = await tlsAuthority("OpenSSL Roots Test");
    const server = await authority.server();
    servers = await startTlsServers({
      https: { kind: "https", ...server, clientCa: authority.pem },
    });
    folder = await mkdtemp(join(tmpdir(), "keybound-roots-"));
  });
  after(async () => {
    await servers?.close();
    await rm(folder, { recursive: true, force: true });
  });

  // In this order: the system's roots are read anew for each credential.
  it("refuses a server that the system's roots don't vouch for", async () => {
    const empty = join(folder, "empty.pem");
    await writeFile(empty, "");
    await setEnvironment({ SSL_CERT_FILE: empty, SSL_CERT_DIR: folder });
    const credential = await authority.client(synchronousKey("P-256"));
    await usingOpenssl(servers, {}, async (fetch) => {
      await assert.rejects(fetch("https", credential), failsAs("server_untrusted"));
    });
  });

  it("takes one that they do", async () => {
    const roots = join(folder, "roots.pem");
    await writeFile(roots, authority.pem);
    await setEnvironment({ SSL_CERT_FILE: roots });
    for (const signing of MODES) {
      const credential = await authority.client(synchronousKey("P-256"));
      await usingOpenssl(servers, { signing }, async (fetch) => {
        assert.equal((await fetch("https", credential)).status, 200);
      });
    }
  });

  it("offers HTTP/1.1 and nothing else", async () => {
    const credential = await authority.client(synchronousKey("P-256"));
    await usingOpenssl(servers, { ca: authority.pem }, async (fetch) => {
      const { alpn } = await (await fetch("https", credential)).json() as RequestReport;
      assert.equal(alpn, "http/1.1");
    });
  });
});
