/**
 * What is the SChannel transport's own, under Wine: keys that are gone, servers it doesn't trust,
 * alerts, the agent, and what it gives back. The servers are Node's.
 *
 * @module
 */

import assert from "node:assert/strict";
import { get } from "node:https";
import { after, before, describe, it } from "node:test";
import { agentOver } from "../../backends/schannel/agent.ts";
import { LazySchannel } from "../../backends/schannel/options.ts";
import { type SchannelTransportOptions, transportOver } from "../../backends/schannel/transport.ts";
import type { LiveObjects } from "../../backends/schannel/schannel.ts";
import type { ClientCredential } from "../../src/credential.ts";
import { type ErrorCode, isKeyboundError } from "../../src/errors.ts";
import type { SignatureScheme } from "../../src/keys.ts";
import { type FailureClass, type MtlsTransport, TransportError } from "../../src/transports.ts";
import { type TlsAuthority, tlsAuthority } from "../support/tls_identities.ts";
import type { RequestReport } from "../support/tls_protocol.ts";
import { startTlsServers, type TlsServers } from "../support/tls_servers.ts";
import { type CapiKey, CapiKeys } from "./support/capi_keys.ts";
import { processHandles } from "./support/process_handles.ts";

const BOTH: readonly SignatureScheme[] = ["rsa_pss_rsae_sha256", "rsa_pkcs1_sha256"];
const VERSIONS = ["TLSv1.2", "TLSv1.3"] as const;

function rejectsWith(code: ErrorCode): (error: unknown) => boolean {
  return (error) => isKeyboundError(error, code);
}

function failsAs(failureClass: FailureClass, alert?: number): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof TransportError, String(error));
    assert.equal(error.verdict.class, failureClass, JSON.stringify(error.failure));
    assert.equal(error.failure.alert, alert);
    return true;
  };
}

describe("schannelTransport under Wine", () => {
  let authority: TlsAuthority;
  let keys: CapiKeys;
  let key: CapiKey;
  let credential: ClientCredential;
  let servers: TlsServers;

  before(async () => {
    authority = await tlsAuthority("SChannel Test");
    keys = await CapiKeys.load();
    key = keys.create(BOTH);
    credential = await authority.client(key);
    const identity = await authority.server();
    const https = { kind: "https", ...identity, clientCa: authority.pem } as const;
    const stranger = await tlsAuthority("Stranger");
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
      // Of the right name, and of another.
      forged: { ...https, ...await (await tlsAuthority("SChannel Test")).server() },
      foreign: { ...https, ...await stranger.server() },
      expired: { ...https, ...await authority.server({ expired: true }) },
      address: { ...https, ...await authority.server({ hosts: ["127.0.0.1"] }) },
      name: { ...https, ...await authority.server({ hosts: ["localhost"] }) },
      wildcard: { ...https, ...await authority.server({ hosts: ["*.localhost"] }) },
      stranger: { ...https, clientCa: stranger.pem },
      "truncated TLSv1.2": { ...truncated, version: "TLSv1.2" },
      "truncated TLSv1.3": { ...truncated, version: "TLSv1.3" },
      fault: { kind: "fault", ...identity, alert: 42, close: "fin", version: "TLSv1.2" },
      http: { kind: "plain_http" },
    });
  });
  after(async () => {
    await servers?.close();
    keys?.removeAll();
  });

  /** A transport, used, closed, and found to hold nothing afterwards. */
  const using = async (
    use: (fetch: (url: string, by?: ClientCredential) => Promise<Response>) => Promise<void>,
    options: SchannelTransportOptions = {},
  ) => {
    const schannel = new LazySchannel({ ca: authority.pem, ...options });
    let held: LiveObjects = {};
    const close = schannel.close.bind(schannel);
    schannel.close = async () => held = await close();
    const transport: MtlsTransport = transportOver(schannel, options);
    try {
      await use((url, by = credential) => transport.fetch(new Request(url), by));
    } finally {
      await transport.close();
      assert.deepEqual(held, {}, "not everything was given back");
    }
  };
  const report = async (response: Response) => await response.json() as RequestReport;
  const byAddress = (url: string) => url.replace("localhost", "127.0.0.1");

  it("fails with key_unusable when the container is gone, and says nothing to the server", async () => {
    const gone = keys.create(BOTH);
    const client = await authority.client(gone);
    keys.remove(gone.id);
    await using(async (fetch) => {
      const sent = fetch(servers.url("untouched", "/report"), client);
      await assert.rejects(sent, rejectsWith("key_unusable"));
      await servers.next("untouched", "closed");
    });
    assert.equal(servers.count("untouched", "data"), 0);
  });

  it("verifies servers against the user's roots without 'ca', and these don't know ours", async () => {
    const schannel = new LazySchannel({});
    const transport = transportOver(schannel, {});
    const request = new Request(servers.url("https", "/report"));
    await assert.rejects(transport.fetch(request, credential), failsAs("server_untrusted"));
    await transport.close();
  });

  it("refuses a certificate that is another's, expired, or for another host or address", async () => {
    await using(async (fetch) => {
      for (const server of ["forged", "foreign", "expired", "address", "wildcard"]) {
        await assert.rejects(fetch(servers.url(server)), failsAs("server_untrusted"), server);
        assert.equal(servers.count(server, "data"), 0, server);
      }
      const named = byAddress(servers.url("name"));
      await assert.rejects(fetch(named), failsAs("server_untrusted"));
      assert.equal(servers.count("name", "data"), 0);
    });
  });

  it("takes a server by its IP address", async () => {
    await using(async (fetch) => {
      const seen = await report(await fetch(byAddress(servers.url("address", "/report"))));
      assert.equal(seen.authorized, true);
    });
  });

  it("holds a key that signs by PKCS#1 alone to TLS 1.2, which only such a server takes", async () => {
    const old = await authority.client(keys.create(["rsa_pkcs1_sha256"]));
    await using(async (fetch) => {
      assert.equal(
        (await report(await fetch(servers.url("TLSv1.2", "/report"), old))).protocol,
        "TLSv1.2",
      );
      await assert.rejects(fetch(servers.url("TLSv1.3", "/report"), old), TransportError);
    });
  });

  it("tells the alert by which a server refuses the certificate under TLS 1.2", async () => {
    await using(async (fetch) => {
      const sent = fetch(servers.url("fault"));
      await assert.rejects(sent, failsAs("credential_rejected", 42));
    });
  });

  it("fails as suspect where a server that doesn't know the issuer says so under TLS 1.3", async () => {
    await using(async (fetch) => {
      await assert.rejects(fetch(servers.url("stranger", "/report")), failsAs("suspect"));
    });
  });

  for (const version of VERSIONS) {
    it(`takes an end without close_notify for a failure under ${version}`, async () => {
      await using(async (fetch) => {
        const response = await fetch(servers.url(`truncated ${version}`));
        await assert.rejects(response.text(), failsAs("peer_reset"));
      });
    });
  }

  it("fails as protocol where the server doesn't speak TLS", async () => {
    await using(async (fetch) => {
      await assert.rejects(fetch(servers.url("http")), failsAs("protocol"));
    });
  });

  it("gives an agent for node:https that presents the certificate and gives back all it holds", async () => {
    const schannel = new LazySchannel({ ca: authority.pem });
    let closed: (held: LiveObjects) => void;
    const held = new Promise<LiveObjects>((resolve) => closed = resolve);
    const close = schannel.close.bind(schannel);
    schannel.close = async () => {
      const live = await close();
      closed(live);
      return live;
    };
    const agent = agentOver(schannel, credential, {});
    const seen = await new Promise<RequestReport>((resolve, reject) => {
      get(servers.url("https", "/report"), { agent }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part) => text += part);
        response.on("end", () => resolve(JSON.parse(text)));
      }).on("error", reject);
    });
    agent.destroy();
    assert.equal(seen.authorized, true);
    assert.deepEqual(await held, {});
  });

  for (const version of VERSIONS) {
    it(`holds nothing after 500 handshakes over ${version}, failures among them`, async () => {
      const handles = await processHandles();
      let before = 0;
      await using(async (fetch) => {
        const url = servers.url(version, "/closing");
        const shakeHands = async (count: number) => {
          for (let i = 0; i < count; i += 10) {
            const batch = Array.from({ length: 9 }, async () => (await fetch(url)).text());
            const failed = assert.rejects(fetch(byAddress(servers.url("name"))));
            await Promise.all([...batch, failed]);
          }
        };
        // The threads that make the calls come first.
        await shakeHands(50);
        before = handles();
        await shakeHands(500);
      });
      const more = handles() - before;
      assert.ok(more <= 20, `${more} handles more than ${before}`);
    });
  }
});
