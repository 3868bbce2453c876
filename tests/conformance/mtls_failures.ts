/**
 * Every way a request over mutual TLS was seen to fail, brought about again on this runtime, and
 * what the classifier makes of it: for every transport the same. The names follow
 * `tests/policy/failure_signals.txt`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { after, before, describe, it } from "node:test";
import type { ClientCredential } from "../../src/credential.ts";
import type { KeyAlgorithm, SigningKey } from "../../src/keys.ts";
import { classifyFailure, failureSignals } from "../../src/policy/failure.ts";
import type { FailureClass } from "../../src/transports.ts";
import {
  type MtlsTransport,
  type TlsVersion,
  TransportError,
  type TransportFailure,
} from "../../src/transports.ts";
import {
  hasOpensslServer,
  type OpensslServer,
  startOpensslServer,
} from "../support/openssl_server.ts";
import { type TlsAuthority, tlsAuthority } from "../support/tls_identities.ts";
import type { ServerSpec } from "../support/tls_protocol.ts";
import { startTlsServers, type TlsServers } from "../support/tls_servers.ts";

const ALERTS: readonly [number, string, FailureClass][] = [
  [40, "handshake_failure", "suspect"],
  [42, "bad_certificate", "credential_rejected"],
  [43, "unsupported_certificate", "credential_rejected"],
  [44, "certificate_revoked", "credential_rejected"],
  [45, "certificate_expired", "credential_rejected"],
  [46, "certificate_unknown", "credential_rejected"],
  [47, "illegal_parameter", "protocol"],
  [48, "unknown_ca", "credential_rejected"],
  [49, "access_denied", "credential_rejected"],
  [50, "decode_error", "protocol"],
  [51, "decrypt_error", "credential_rejected"],
  [80, "internal_error", "protocol"],
  [116, "certificate_required", "credential_rejected"],
];
const VERSIONS: readonly TlsVersion[] = ["TLSv1.2", "TLSv1.3"];
const POINTS = ["accept", "client_hello", "second_flight"] as const;
const CLOSINGS = ["fin", "reset"] as const;

/** A transport whose failures are examined. */
export interface MtlsFailuresUnderTest {
  /** A new transport that trusts these authorities (PEM) and no others. */
  transport(ca: string): MtlsTransport;
  /** A new key that it accepts. */
  key(algorithm: KeyAlgorithm): Promise<SigningKey>;
}

/** What is to be expected of the backend. */
export interface MtlsFailuresTraits {
  /** Whether the runtime sends a request again when a kept-alive connection ends. @default false */
  readonly resends?: boolean;
}

/** What was seen of work that is expected to fail. */
async function failureOf(work: Promise<unknown>): Promise<TransportFailure> {
  try {
    await work;
  } catch (error) {
    if (error instanceof TransportError) return error.failure;
    const signals = failureSignals(error);
    return { signals, stage: "start", reusedConnection: false, responseStarted: false };
  }
  assert.fail("it didn't fail");
}

/** The suite, for this transport. */
export function describeMtlsFailures(
  title: string,
  subject: MtlsFailuresUnderTest,
  { resends = false }: MtlsFailuresTraits = {},
): void {
  describe(title, () => {
    let servers: TlsServers;
    let transport: MtlsTransport;
    let credential: ClientCredential;
    let authority: TlsAuthority;
    let stranger: TlsAuthority;

    before(async () => {
      authority = await tlsAuthority("Failure Test");
      stranger = await tlsAuthority("Stranger");
      const ec = await authority.server();
      const rsa = await authority.server({ algorithm: "RSA" });
      const specs: Record<string, ServerSpec> = {
        silent: { kind: "silent" },
        deaf: { kind: "deaf" },
        plain: { kind: "plain_http" },
      };
      const https = { kind: "https", ...ec, clientCa: authority.pem } as const;
      for (const version of VERSIONS) {
        const range = { minVersion: version, maxVersion: version };
        specs[`https ${version}`] = { ...https, ...range };
        specs[`strict ${version}`] = { ...https, ...range, clientCa: stranger.pem };
        specs[`expired ${version}`] = {
          ...https,
          ...range,
          ...await authority.server({ expired: true }),
        };
        specs[`untrusted ${version}`] = { ...https, ...range, ...await stranger.server() };
        specs[`wrong host ${version}`] = {
          ...https,
          ...range,
          ...await authority.server({ hosts: ["wrong.example"] }),
        };
        specs[`garbage ${version}`] = {
          kind: "tls",
          ...ec,
          version,
          await: "request",
          send: "garbage\r\n\r\n",
        };
        for (const close of CLOSINGS) {
          for (const [alert] of ALERTS) {
            const identity = alert % 2 === 0 ? ec : rsa;
            const spec = { kind: "fault", ...identity, version, alert, close } as const;
            specs[`alert ${alert} ${version} ${close}`] = spec;
          }
          for (const at of POINTS) {
            specs[`${at} ${version} ${close}`] = { kind: "fault", ...ec, version, at, close };
          }
          for (const moment of ["handshake", "request"] as const) {
            specs[`after ${moment} ${version} ${close}`] = {
              kind: "tls",
              ...ec,
              version,
              await: moment,
              close,
            };
          }
        }
      }
      servers = await startTlsServers(specs);
      credential = await authority.client(await subject.key("RSA-2048"));
      transport = subject.transport(authority.pem);
    });
    after(async () => {
      await transport?.close();
      await servers?.close();
    });

    const get = (server: string, path = "/", init: RequestInit = {}) =>
      transport.fetch(new Request(servers.url(server, path), init), credential);
    const classOf = async (work: Promise<unknown>) => classifyFailure(await failureOf(work)).class;

    for (const version of VERSIONS) {
      for (const close of CLOSINGS) {
        describe(`a: an alert over ${version}, then the connection ends by ${close}`, () => {
          for (const [number, alert, expected] of ALERTS) {
            it(`${alert} is ${expected}`, async () => {
              const server = `alert ${number} ${version} ${close}`;
              const failure = await failureOf(get(server));
              assert.deepEqual(classifyFailure(failure), { class: expected, alert });
              assert.equal(failure.responseStarted, false);
              assert.equal(failure.reusedConnection, false);
              const { certificates = 0 } = await servers.next(server, "report");
              assert.ok(certificates >= 1, "the client presented no certificate");
            });
          }
        });

        describe(`b, c, d: a fresh connection over ${version} that ends by ${close}`, () => {
          for (const at of POINTS) {
            it(`at ${at} is suspect`, async () => {
              assert.equal(await classOf(get(`${at} ${version} ${close}`)), "suspect");
            });
          }
          it("after the handshake is suspect", async () => {
            assert.equal(await classOf(get(`after handshake ${version} ${close}`)), "suspect");
          });
          it("after the request is suspect", async () => {
            assert.equal(await classOf(get(`after request ${version} ${close}`)), "suspect");
          });
        });

        it(`i: a body over ${version} cut off by ${close} is peer_reset`, async () => {
          const response = await get(`https ${version}`, `/truncate/${close}`);
          const failure = await failureOf(response.text());
          assert.equal(classifyFailure(failure).class, "peer_reset");
          assert.equal(failure.responseStarted, true);
        });

        it(`k: a reused connection over ${version} that ends by ${close} is peer_reset`, async () => {
          const path = `/second/${close}`;
          const client = await authority.client(await subject.key("P-256"));
          const url = servers.url(`https ${version}`, path);
          const fetch = async () => await (await transport.fetch(new Request(url), client)).text();
          assert.equal(await fetch(), "first");
          if (resends) return assert.equal(await fetch(), "first");
          const failure = await failureOf(fetch());
          assert.equal(classifyFailure(failure).class, "peer_reset");
          assert.equal(failure.reusedConnection, true);
        });
      }

      it(`n1: a Node server over ${version} that turns the certificate away is suspect`, async () => {
        assert.equal(await classOf(get(`strict ${version}`)), "suspect");
      });

      for (const kind of ["untrusted", "expired", "wrong host"]) {
        it(`g: a server over ${version} that is ${kind} is server_untrusted`, async () => {
          const failure = await failureOf(get(`${kind} ${version}`));
          assert.deepEqual(classifyFailure(failure), { class: "server_untrusted" });
        });
      }

      it(`j: a server over ${version} that speaks no HTTP is protocol`, async () => {
        assert.equal(await classOf(get(`garbage ${version}`)), "protocol");
      });

      it(`f2: a server over ${version} that doesn't answer in time is timeout`, async () => {
        const late = new AbortController();
        const server = `https ${version}`;
        const work = classOf(get(server, "/hold", { signal: late.signal }));
        while ((await servers.next(server, "request")).path !== "/hold");
        late.abort(new DOMException("too late", "TimeoutError"));
        assert.equal(await work, "timeout");
      });
    }

    it("g4: a server that speaks plain HTTP is protocol", async () => {
      assert.equal(await classOf(get("plain")), "protocol");
    });

    it("f1: a server that is silent is timeout, or aborted where the caller says so", async () => {
      for (const [name, expected] of [["TimeoutError", "timeout"], ["AbortError", "aborted"]]) {
        const late = new AbortController();
        const work = classOf(get("silent", "/", { signal: late.signal }));
        await servers.next("silent", "connection");
        late.abort(new DOMException("too late", name));
        assert.equal(await work, expected);
        await servers.next("silent", "closed");
      }
    });

    it("f3: a server that doesn't accept the connection is timeout", async () => {
      const late = new AbortController();
      const work = classOf(get("deaf", "/", { signal: late.signal }));
      // Nobody can tell that nothing happens: only let the runtime come to where it waits.
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve));
      late.abort(new DOMException("too late", "TimeoutError"));
      assert.equal(await work, "timeout");
    });

    it("e: a port nobody listens on is unreachable", async () => {
      const server = createServer().listen(0, "127.0.0.1");
      await once(server, "listening");
      const { port } = server.address() as AddressInfo;
      server.close();
      await once(server, "close");
      for (const host of ["127.0.0.1", "localhost"]) {
        const request = new Request(`https://${host}:${port}/`);
        const failure = await failureOf(transport.fetch(request, credential));
        assert.equal(classifyFailure(failure).class, "unreachable");
        assert.equal(failure.stage, "start");
      }
    });

    it("h: a name that can't be resolved is unreachable", async () => {
      // Too long for DNS, so that no resolver is asked.
      const request = new Request(`https://${"x".repeat(70)}.invalid/`);
      assert.equal(await classOf(transport.fetch(request, credential)), "unreachable");
    });

    for (const version of VERSIONS) {
      if (!hasOpensslServer) continue;
      describe(`openssl s_server over ${version}`, () => {
        let server: OpensslServer;

        before(async () => {
          server = await startOpensslServer(await authority.server(), authority.pem, version);
        });
        after(() => server?.close());

        const fetch = (client: ClientCredential) =>
          transport.fetch(new Request(server.url), client, { connection: "fresh" });

        it("takes a good certificate", async () => {
          const response = await fetch(credential);
          assert.equal(response.status, 200);
          assert.match(await response.text(), /BEGIN SSL SESSION|Client certificate/);
        });

        it("refuses that of another authority: credential_rejected", async () => {
          const failure = await failureOf(fetch(await stranger.client(await subject.key("P-256"))));
          const verdict = { class: "credential_rejected", alert: "unknown_ca" };
          assert.deepEqual(classifyFailure(failure), verdict);
        });

        it("refuses an expired one: credential_rejected", async () => {
          const failure = await failureOf(
            fetch(await authority.client(await subject.key("P-256"), { expired: true })),
          );
          const verdict = { class: "credential_rejected", alert: "certificate_expired" };
          assert.deepEqual(classifyFailure(failure), verdict);
        });
      });
    }
  });
}
