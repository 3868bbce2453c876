/**
 * What is the OpenSSL transport's own: what it refuses, which servers it trusts, its agent, and what
 * it gives back.
 *
 * @module
 */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { get } from "node:https";
import process from "node:process";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import {
  findOpenssl,
  opensslAgent,
  opensslTransport,
  type OpensslTransportOptions,
} from "../../backends/openssl/mod.ts";
import type { ClientCredential } from "../../src/credential.ts";
import { KeyboundError } from "../../src/errors.ts";
import type { SigningKey } from "../../src/keys.ts";
import { TransportError } from "../../src/transports.ts";
import { encodePem } from "../../src/x509/pem.ts";
import { manualClock } from "../support/clock.ts";
import type { OpensslClientOrders } from "../support/openssl_client_main.ts";
import { hasOpensslServer, startOpensslServer } from "../support/openssl_server.ts";
import {
  failsAs,
  MODES,
  rejectsWith,
  signingBy,
  usingOpenssl,
  VERSIONS,
} from "../support/openssl_transport.ts";
import { synchronousKey, synchronousKeyOf } from "../support/synchronous_keys.ts";
import { type ServerPem, type TlsAuthority, tlsAuthority } from "../support/tls_identities.ts";
import type { RequestReport } from "../support/tls_protocol.ts";
import { startTlsServers, type TlsServers } from "../support/tls_servers.ts";

type Use = Parameters<typeof usingOpenssl>[2];

describe("opensslTransport", () => {
  let authority: TlsAuthority;
  let identity: ServerPem;
  let servers: TlsServers;

  before(async () => {
    authority = await tlsAuthority("OpenSSL Test");
    identity = await authority.server();
    const clientCa = authority.pem;
    const https = { kind: "https", ...identity, clientCa } as const;
    const truncated = {
      kind: "tls",
      ...identity,
      await: "request",
      send: "HTTP/1.1 200 OK\r\n\r\nhalf",
      close: "fin",
    } as const;
    servers = await startTlsServers({
      https,
      untouched: https,
      "TLSv1.2": { ...https, maxVersion: "TLSv1.2" },
      "TLSv1.3": { ...https, minVersion: "TLSv1.3" },
      expired: { ...https, ...await authority.server({ expired: true }) },
      address: { ...https, ...await authority.server({ hosts: ["127.0.0.1"] }) },
      name: { ...https, ...await authority.server({ hosts: ["localhost"] }) },
      wildcard: {
        ...https,
        ...await authority.server({ hosts: ["*.localhost", "wrong.example"] }),
      },
      "truncated TLSv1.2": { ...truncated, version: "TLSv1.2" },
      "truncated TLSv1.3": { ...truncated, version: "TLSv1.3" },
      silent: { kind: "silent" },
      http: { kind: "plain_http" },
    });
  });
  after(() => servers?.close());

  const using = (options: OpensslTransportOptions, use: Use) =>
    usingOpenssl(servers, { ca: authority.pem, ...options }, use);
  const client = (key: SigningKey) => authority.client(key);
  const report = async (response: Response) => await response.json() as RequestReport;

  describe("before any network", () => {
    it("refuses a trust anchor that isn't one, and options out of range", () => {
      assert.throws(() => opensslTransport({ ca: "garbage" }), rejectsWith("invalid_pem"));
      assert.throws(() => opensslTransport({ maxCredentials: 0 }), rejectsWith("invalid_argument"));
    });

    it("says what is missing where there is no OpenSSL, when it is needed", async () => {
      const library = { ssl: "/nowhere/libssl.so", crypto: "/nowhere/libcrypto.so" };
      const transport = opensslTransport({ ca: authority.pem, library });
      const request = () => new Request(servers.url("untouched", "/report"));
      const credential = await client(synchronousKey("P-256"));
      for (let i = 0; i < 2; i++) {
        await assert.rejects(
          transport.fetch(request(), credential),
          rejectsWith("missing_dependency"),
        );
      }
      await transport.close();
      assert.equal(servers.count("untouched", "connection"), 0);
    });

    it("refuses to sign in place by a key that gives promises", async () => {
      const { signSync: _signSync, ...key } = synchronousKey("P-256");
      await using({ signing: "in-place" }, async (fetch) => {
        const sent = fetch("untouched", await client(key));
        await assert.rejects(sent, rejectsWith("invalid_argument"));
      });
      assert.equal(servers.count("untouched", "connection"), 0);
    });

    it("refuses TLS 1.3 for a key that signs by PKCS#1 alone", async () => {
      const credential = await client(synchronousKey("RSA-2048", ["rsa_pkcs1_sha256"]));
      await using({}, async (fetch) => {
        const sent = fetch("untouched", credential, "/report", { minVersion: "TLSv1.3" });
        await assert.rejects(sent, rejectsWith("unsupported_scheme"));
      });
      assert.equal(servers.count("untouched", "connection"), 0);
    });
  });

  describe("towards a server", () => {
    let credential: ClientCredential;
    before(async () => credential = await client(synchronousKey("P-256")));

    it("whose certificate isn't good, it sends nothing and says why", async () => {
      const stranger = await tlsAuthority("Stranger");
      await using({}, async (fetch) => {
        for (const server of ["expired", "address", "wildcard"]) {
          const sent = fetch(server, credential, "/report", { method: "POST", body: "secret" });
          await assert.rejects(sent, failsAs("server_untrusted"), server);
          await servers.next(server, "closed");
          assert.equal(servers.count(server, "data"), 0, server);
        }
      });
      await using({ ca: stranger.pem }, async (fetch) => {
        await assert.rejects(fetch("https", credential), failsAs("server_untrusted"));
      });
    });

    it("whose certificate is for its address or its name, it tells them apart", async () => {
      await using({}, async (_fetch, transport) => {
        const at = (server: string) =>
          servers.url(server, "/report").replace("localhost", "127.0.0.1");
        const ok = await transport.fetch(new Request(at("address")), credential);
        assert.equal((await report(ok)).authorized, true);
        const sent = transport.fetch(new Request(at("name")), credential);
        await assert.rejects(sent, failsAs("server_untrusted"));
      });
    });

    it("whose name is none, it has no agent connect", async () => {
      const agent = opensslAgent(credential, { ca: authority.pem });
      const url = new URL(servers.url("https", "/report"));
      for (const servername of [".localhost", "local host", "localhost\0.example", "a..b", "*"]) {
        const refused = new Promise((resolve, reject) => {
          const options = { agent, servername, port: url.port, host: "localhost" };
          get(options, resolve).on("error", reject);
        });
        await assert.rejects(refused, rejectsWith("invalid_argument"), servername);
      }
      agent.destroy();
    });

    it("is the same with a dot behind its name", async () => {
      const agent = opensslAgent(credential, { ca: authority.pem });
      const url = new URL(servers.url("https", "/report"));
      const status = await new Promise((resolve, reject) => {
        const options = { agent, servername: "localhost.", port: url.port, host: "localhost" };
        get(options, ({ statusCode }) => resolve(statusCode)).on("error", reject);
      });
      assert.equal(status, 404, "the path '/' isn't there");
      agent.destroy();
    });

    it("that ends TCP and not TLS, it takes no part for the whole", async () => {
      await using({}, async (fetch) => {
        for (const version of VERSIONS) {
          const response = await fetch(`truncated ${version}`, credential, "/", {
            connection: "fresh",
          });
          await assert.rejects(response.text(), failsAs("peer_reset"));
        }
      });
    });

    it("that is silent, absent or speaks no TLS, it says so", async () => {
      const clock = manualClock();
      await using({ clock }, async (fetch, transport) => {
        await assert.rejects(fetch("http", credential), failsAs("protocol"));
        const nowhere = transport.fetch(new Request("https://localhost:1/"), credential);
        await assert.rejects(nowhere, failsAs("unreachable"));
        const rejected = assert.rejects(fetch("silent", credential), failsAs("timeout"));
        await servers.next("silent", "connection");
        await clock.advance(30_000);
        await rejected;
      });
    });
  });

  describe("an agent", () => {
    const fetchBy = (url: string, agent: ReturnType<typeof opensslAgent>) =>
      new Promise<RequestReport>((resolve, reject) => {
        get(url, { agent }, (response) => {
          let body = "";
          response.on("data", (chunk) => body += chunk);
          response.on("end", () => resolve(JSON.parse(body)));
          response.on("error", reject);
        }).on("error", reject);
      });

    it("refuses a key that can't sign", async () => {
      const credential = await client({ ...synchronousKey("P-256"), schemes: [] });
      assert.throws(() => opensslAgent(credential), rejectsWith("transport_not_available"));
    });

    it("fails as its key does", async () => {
      const dead = new KeyboundError("key_unusable", "The key is gone.");
      const key = signingBy(synchronousKey("P-256"), () => {
        throw dead;
      });
      const agent = opensslAgent(await client(key), { ca: authority.pem });
      await assert.rejects(fetchBy(servers.url("https", "/report"), agent), (e) => e === dead);
      agent.destroy();
    });

    it("presents the credential to https.request, and pools", async () => {
      for (const signing of MODES) {
        const credential = await client(synchronousKey("P-256"));
        const agent = opensslAgent(credential, { ca: authority.pem, signing });
        const url = servers.url("https", "/report");
        const [first, second] = [await fetchBy(url, agent), await fetchBy(url, agent)];
        assert.equal(first.authorized, true);
        assert.equal(second.connection, first.connection);
        agent.destroy();
        await assert.rejects(fetchBy(url, agent), rejectsWith("closed"));
      }
    });
  });

  const endings = MODES.flatMap((signing) => [[signing, false], [signing, true]] as const);
  for (const [signing, closes] of endings) {
    it(`lets a process end that signs ${signing}${closes ? " and closes it" : ""}`, async () => {
      const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const key = synchronousKeyOf(privateKey, ["ecdsa_secp256r1_sha256"]);
      const { chain } = await client(key);
      const orders: OpensslClientOrders = {
        url: servers.url("https", "/report"),
        ca: authority.pem,
        cert: encodePem("CERTIFICATE", chain[0]!),
        key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
        signing,
        closes,
      };
      const program = fileURLToPath(new URL("../support/openssl_client_main.ts", import.meta.url));
      const child = spawn(process.execPath, [...runArguments(), program]);
      let output = "";
      child.stdout.on("data", (chunk) => output += chunk);
      child.stderr.on("data", (chunk) => output += chunk);
      child.stdin.end(JSON.stringify(orders));
      const code = await new Promise((resolve) => child.on("close", resolve));
      assert.equal(output.trim(), "status 200");
      assert.equal(code, 0);
    });
  }

  if (hasOpensslServer) {
    describe("towards openssl s_server", () => {
      it("doesn't renegotiate: nobody gets a second signature on a connection", async () => {
        const options = { answers: false };
        const server = await startOpensslServer(identity, authority.pem, "TLSv1.2", options);
        const key = synchronousKey("RSA-2048");
        const credential = await client(key);
        await using({}, async (_fetch, transport) => {
          const sent = transport.fetch(new Request(server.url), credential);
          const rejected = assert.rejects(sent, TransportError);
          await server.printed("GET / HTTP/1.1");
          server.type("R\n");
          await rejected;
          assert.equal(key.signed.length, 1);
        });
        await server.close();
      });

      it("says so when the server takes no signature that the key can make", async () => {
        for (const version of VERSIONS) {
          const args = ["-client_sigalgs", "rsa_pss_rsae_sha256:rsa_pkcs1_sha256"];
          const server = await startOpensslServer(identity, authority.pem, version, { args });
          for (const signing of MODES) {
            const credential = await client(synchronousKey("P-256"));
            await using({ signing }, async (_fetch, transport) => {
              const sent = transport.fetch(new Request(server.url), credential);
              await assert.rejects(sent, rejectsWith("unsupported_scheme"), version);
            });
          }
          await server.close();
        }
      });

      for (const version of VERSIONS) {
        for (const algorithm of ["RSA-2048", "P-256"] as const) {
          it(`with a key ${algorithm}, over ${version}`, async () => {
            const server = await startOpensslServer(identity, authority.pem, version);
            const credential = await client(synchronousKey(algorithm));
            await using({}, async (_fetch, transport) => {
              const response = await transport.fetch(new Request(server.url), credential);
              assert.match(await response.text(), /Client certificate/);
            });
            await server.close();
          });
        }
      }
    });
  }
});

describe("findOpenssl", () => {
  it("refuses what isn't OpenSSL 3", async () => {
    const missing = { ssl: "no_such_library", crypto: "no_such_library" };
    const isMissing = rejectsWith("missing_dependency");
    await assert.rejects(findOpenssl({ library: missing }), isMissing);
    const environment = { KEYBOUND_LIBSSL: "no_such", KEYBOUND_LIBCRYPTO: "no_such" };
    await assert.rejects(findOpenssl({ environment }), isMissing);
  });

  it("says which one it found", async () => {
    const { version, ssl, crypto } = await findOpenssl();
    assert.match(version, /^OpenSSL [34]\./);
    assert.deepEqual(await findOpenssl({ library: { ssl, crypto } }), { version, ssl, crypto });
  });
});

/** How this runtime is told to run a TypeScript program. */
function runArguments(): string[] {
  if (process.versions.deno !== undefined) return ["run", "-A", "--no-check"];
  if (process.versions.bun !== undefined) return ["run"];
  return process.execArgv.filter((argument) => !argument.startsWith("--test"));
}
