/**
 * Handshakes that fail on purpose, against the TLS client of the runtime.
 *
 * @module
 */

import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { before, describe, it } from "node:test";
import { connect as tlsConnect } from "node:tls";
import {
  type Closing,
  type FaultReport,
  type HandshakePoint,
  rejectHandshake,
  resetAfter,
  type ServerIdentity,
} from "../../emulator/tls_fault/mod.ts";
import { isPemExportable } from "../../src/keys.ts";
import { classifyFailure, failureSignals } from "../../src/policy/failure.ts";
import { encodePem } from "../../src/x509/pem.ts";
import { type ServerPem, tlsAuthority } from "../support/tls_identities.ts";

type Fault = (socket: Socket) => Promise<FaultReport>;

interface ClientOptions {
  readonly minVersion?: "TLSv1.2" | "TLSv1.3";
  readonly maxVersion?: "TLSv1.2" | "TLSv1.3";
  readonly ecdhCurve?: string;
  readonly anonymous?: boolean;
}

describe("a handshake", () => {
  let ca: string;
  let client: { cert: string; key: string; leaf: Uint8Array };
  let stranger: ServerPem;
  const identities: Record<string, ServerIdentity> = {};

  before(async () => {
    const authority = await tlsAuthority("Fault Test");
    ca = authority.pem;
    for (const algorithm of ["RSA", "EC"] as const) {
      identities[algorithm] = identityOf(await authority.server({ algorithm }));
    }
    stranger = await (await tlsAuthority("Stranger")).server();
    const { chain, key } = await authority.client("P-256");
    assert.ok(isPemExportable(key));
    const cert = encodePem("CERTIFICATE", chain[0]!);
    client = { cert, key: await key.exportPem(), leaf: chain[0]! };
  });

  function identityOf({ cert, key }: ServerPem): ServerIdentity {
    const leaf = Uint8Array.from(new X509Certificate(cert).raw);
    return { chain: [leaf], privateKey: createPrivateKey(key) };
  }

  /** One connection of the runtime's TLS client to a server with this fault. */
  async function run(fault: Fault, options: ClientOptions = {}) {
    let report: Promise<FaultReport> | undefined;
    const server = createServer((socket) => void (report = fault(socket)));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const { anonymous, ...versions } = options;
    const error = await new Promise<unknown>((resolve) => {
      const socket = tlsConnect({
        host: "127.0.0.1",
        servername: "localhost",
        port,
        ca,
        ...(anonymous ? {} : { cert: client.cert, key: client.key }),
        ...versions,
      });
      socket.on("data", () => resolve(new Error("The server sent data.")));
      socket.on("error", resolve);
      socket.on("close", () => resolve(undefined));
    });
    server.close();
    const signals = failureSignals(error ?? Object.assign(new Error(), { code: "ECONNRESET" }));
    const state = { stage: "tcp", reusedConnection: false, responseStarted: false } as const;
    return { report: await report!, verdict: classifyFailure({ signals, ...state }) };
  }

  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    for (const algorithm of ["RSA", "EC"]) {
      for (const close of ["fin", "reset"] as const) {
        it(`over ${version} with ${algorithm} ends with the alert, then by ${close}`, async () => {
          const options = { version, alert: 44, close };
          const { report, verdict } = await run((socket) =>
            rejectHandshake(socket, { ...identities[algorithm]!, ...options })
          );
          const alert = "certificate_revoked";
          assert.deepEqual(verdict, { class: "credential_rejected", alert });
          assert.equal(report.reached, "second_flight");
          assert.equal(report.version, version);
          assert.equal(report.serverName, "localhost");
          assert.deepEqual(report.clientChain[0], client.leaf);
        });
      }
    }

    it(`over ${version} tells that the client had no certificate`, async () => {
      const options = { ...identities.EC!, version, alert: 40 };
      const { report } = await run((socket) => rejectHandshake(socket, options), {
        anonymous: true,
      });
      assert.equal(report.reached, "second_flight");
      assert.deepEqual(report.clientChain, []);
    });

    it(`over ${version} works with a key exchange on P-256`, async () => {
      const options = { ...identities.EC!, version, alert: 48 };
      const { verdict } = await run((socket) => rejectHandshake(socket, options), {
        ecdhCurve: "P-256",
      });
      assert.deepEqual(verdict, { class: "credential_rejected", alert: "unknown_ca" });
    });

    for (const at of ["accept", "client_hello", "second_flight"] as HandshakePoint[]) {
      for (const how of ["fin", "reset"] as Closing[]) {
        it(`over ${version} ends at ${at} by ${how}`, async () => {
          const { report, verdict } = await run((socket) =>
            resetAfter(socket, at, how, { ...identities.EC!, version })
          );
          assert.deepEqual(verdict, { class: "suspect" });
          assert.equal(report.reached, at);
        });
      }
    }

    it(`over ${version} fails for a server that can't prove its certificate`, async () => {
      const { chain } = identities.EC!;
      const { privateKey } = identityOf(stranger);
      const options = { chain, privateKey, version, alert: 44 };
      const { report, verdict } = await run((socket) => rejectHandshake(socket, options));
      // A signature that is wrong is a matter of the protocol to OpenSSL, of trust to rustls.
      assert.match(verdict.class, /^(protocol|server_untrusted)$/);
      assert.equal(report.reached, "client_hello");
    });
  }

  it("speaks the newest version that the client offers", async () => {
    const options = { ...identities.EC!, alert: 44 };
    const newest = await run((socket) => rejectHandshake(socket, options));
    assert.equal(newest.report.version, "TLSv1.3");
    const older = await run((socket) => rejectHandshake(socket, options), {
      maxVersion: "TLSv1.2",
    });
    assert.equal(older.report.version, "TLSv1.2");
  });

  it("ends with protocol_version where the client doesn't offer the version", async () => {
    for (
      const [version, range] of [
        ["TLSv1.3", { maxVersion: "TLSv1.2" }],
        ["TLSv1.2", { minVersion: "TLSv1.3" }],
      ] as const
    ) {
      const options = { ...identities.EC!, version, alert: 44 };
      const { report, verdict } = await run((socket) => rejectHandshake(socket, options), range);
      assert.deepEqual(verdict, { class: "protocol", alert: "protocol_version" });
      assert.equal(report.reached, "client_hello");
    }
  });

  describe("with a peer that speaks no TLS", () => {
    const send = async (text: string | undefined): Promise<FaultReport> => {
      let report: Promise<FaultReport> | undefined;
      const server = createServer((socket) => {
        report = rejectHandshake(socket, { ...identities.EC!, alert: 44 });
      });
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      const peer = connect((server.address() as AddressInfo).port, "127.0.0.1");
      peer.on("error", () => {});
      await once(peer, "connect");
      if (text === undefined) peer.end();
      else peer.write(text);
      peer.resume();
      await once(peer, "close");
      server.close();
      return await report!;
    };

    it("reports that it came nowhere, and hangs up", async () => {
      for (
        const text of ["GET / HTTP/1.1\r\n\r\n", "\x16\x03\x03\xff\xff", "\x15\x03\x03\x00\x00"]
      ) {
        assert.deepEqual(await send(text), { reached: "accept", clientChain: [] });
      }
      assert.deepEqual(await send(undefined), { reached: "accept", clientChain: [] });
    });
  });
});
