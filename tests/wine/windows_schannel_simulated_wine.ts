/**
 * Keys, store and transport of Windows on one connection: a key of CNG (the simulated KSP's) is
 * found by the certificate in the store (Wine's crypt32) and signs in SChannel (Wine's, over GnuTLS).
 * The servers are Node's.
 *
 * Wine's SChannel takes the key from a copy that the simulated KSP keeps for it: that Windows' own
 * signs with a key of CNG isn't shown here.
 *
 * @module
 */

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { schannelTransport } from "../../backends/schannel/mod.ts";
import { windowsKeys, type WindowsSigningKey, windowsStore } from "../../backends/windows/mod.ts";
import { withCertificates } from "../../backends/windows/certificates.ts";
import { windowsSystem } from "../../backends/windows/system.ts";
import { ClientCredential } from "../../src/credential.ts";
import { isKeyboundError } from "../../src/errors.ts";
import type { KeyStrength } from "../../src/keys.ts";
import { type CertificateAuthority, certificateAuthority } from "../support/certificates.ts";
import { issueCertificate } from "../support/certificates.ts";
import { tlsAuthority } from "../support/tls_identities.ts";
import type { RequestReport } from "../support/tls_protocol.ts";
import { startTlsServers, type TlsServers } from "../support/tls_servers.ts";
import { type SimulatedHost, SimulatedKsp } from "./support/simulated_ksp.ts";

const ID = "KeyGuardRSAKey";
const ALIAS = "wine-schannel#att=0";
const ENDPOINT = "https://mtlsauth.example/t";
const CLIENT_ID = "3c5a7c2e-1f0b-4f0e-9a53-6f0b9d5f7a11";

const HOSTS: readonly [KeyStrength, SimulatedHost][] = [
  ["keyguard", { vbs: true }],
  ["hardware", { tpm: "ready" }],
  ["software", {}],
];

const isDead = (error: unknown) => isKeyboundError(error, "key_unusable");

describe("windowsKeys, windowsStore and schannelTransport over the simulated KSP", () => {
  let ksp: SimulatedKsp;
  let servers: TlsServers;
  let issuer: CertificateAuthority;
  let serverCa: string;

  const clear = async () => {
    ksp.reset();
    withCertificates(await windowsSystem(), "user", (store) => store.remove(() => true));
  };

  before(async () => {
    ksp = await SimulatedKsp.load();
    issuer = await certificateAuthority("CN=Issuer of bindings");
    const authority = await tlsAuthority("Servers");
    serverCa = authority.pem;
    const https = { kind: "https", ...await authority.server(), clientCa: issuer.pem } as const;
    servers = await startTlsServers({
      "TLSv1.2": { ...https, maxVersion: "TLSv1.2" },
      "TLSv1.3": { ...https, minVersion: "TLSv1.3" },
      untouched: https,
    });
  });
  beforeEach(clear);
  after(async () => {
    await servers?.close();
    await clear();
  });

  /** Issues a certificate over this key and puts it into the store. */
  const mint = async (keys = windowsKeys()): Promise<WindowsSigningKey> => {
    const key = await keys.create(ID);
    const { der } = await issueCertificate({ issuer, spki: key.spki });
    const binding = { certificate: der, endpoint: ENDPOINT, clientId: CLIENT_ID };
    await windowsStore({ keys }).put(ALIAS, binding);
    return key;
  };

  /** What a program that has just been started finds. */
  const load = async (): Promise<ClientCredential> => {
    const keys = windowsKeys();
    const [binding] = await windowsStore({ keys }).list(ALIAS);
    assert.ok(binding !== undefined, "The store is empty.");
    const key = await keys.open(ID);
    return await ClientCredential.create([binding.certificate], key!);
  };

  const report = async (server: string, credential: ClientCredential): Promise<RequestReport> => {
    const transport = schannelTransport({ ca: serverCa });
    try {
      const request = new Request(servers.url(server, "/report"));
      const response = await transport.fetch(request, credential);
      return await response.json() as RequestReport;
    } finally {
      await transport.close();
    }
  };

  const shakesHands = async (credential: ClientCredential) => {
    for (const version of ["TLSv1.2", "TLSv1.3"]) {
      const seen = await report(version, credential);
      assert.equal(seen.authorized, true);
      assert.equal(seen.protocol, version);
    }
  };

  /** The server must not have got anything but a beginning. */
  const refusesHandshake = async (credential: ClientCredential, isRight = isDead) => {
    const before = servers.count("untouched", "data");
    await assert.rejects(report("untouched", credential), isRight);
    assert.equal(servers.count("untouched", "data"), before);
  };

  const heals = async () => {
    await mint();
    await shakesHands(await load());
    assert.equal(ksp.liveHandles(), 0);
  };

  for (const [strength, host] of HOSTS) {
    it(`shake hands by a '${strength}' key that the certificate names`, async () => {
      ksp.change(host);
      assert.equal((await mint()).strength, strength);
      await shakesHands(await load());
      assert.equal(ksp.liveHandles(), 0);
    });
  }

  it("find a deleted key unusable, and work with a new one", async () => {
    await mint();
    const credential = await load();
    await windowsKeys().remove(ID);
    await refusesHandshake(credential);
    await assert.rejects(load(), /The store is empty/);
    await heals();
  });

  it("don't use a key that another has replaced, and work with a new certificate", async () => {
    await mint();
    const credential = await load();
    await windowsKeys().create(ID);
    // Wine compares certificate and key; Windows would sign, and the server refuse the signature.
    await refusesHandshake(credential);
    await assert.rejects(load(), /The store is empty/);
    await heals();
  });

  it("find a KeyGuard key of another boot unusable, and work with a new one", async () => {
    ksp.change({ vbs: true });
    await mint();
    const credential = await load();
    await shakesHands(credential);
    ksp.reboot();
    await refusesHandshake(credential);
    await assert.rejects(load(), isDead);
    await heals();
  });

  it("don't use the key of a TPM that isn't ready, and do once it is", async () => {
    ksp.change({ tpm: "ready" });
    await mint();
    const credential = await load();
    ksp.change({ tpm: "not_ready" });
    await refusesHandshake(credential, isKeyboundError);
    ksp.change({ tpm: "ready" });
    await shakesHands(credential);
  });

  it("find a key unusable that is there and doesn't sign, and work with a new one", async () => {
    const { keyContainer: { container } } = await mint();
    const credential = await load();
    ksp.kill(container);
    await refusesHandshake(credential);
    ksp.kill(container, 0);
    await shakesHands(credential);
    ksp.kill(container);
    await heals();
  });
});
