/**
 * The whole flow over real sockets and real TLS, against the emulator, wherever the key is.
 *
 * @module
 */

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import type { DetectedHost, DetectOptions } from "../../../backends/detect.ts";
import {
  claimsChallenge,
  type ConnectionFault,
  type Counts,
  DEFAULT_IDENTITIES,
  DEFAULT_TENANT_ID,
  type Emulator,
  invalidClient,
  redirect,
  spawnEmulator,
  type Step,
} from "../../../emulator/mod.ts";
import {
  type KeyAlgorithm,
  type KeyboundEvent,
  type ManagedIdentity,
  managedIdentity,
  type ManagedIdentityId,
  type ManagedIdentityOptions,
} from "../../../mod.ts";
import { attribute, COMMON_NAME, DOMAIN_COMPONENT, parseName } from "../../../src/x509/name.ts";

const VAULT = "https://vault.azure.net";

/** Where the keys of a flow's tests come from. */
export interface FlowSubject {
  /** A host for one test, with nothing in it. */
  readonly host: (options: DetectOptions) => Promise<DetectedHost>;
  /** What is closed or thrown away when the tests are over. */
  readonly end?: () => Promise<unknown>;
  /** An emulator for these tests alone. @default one in a process of its own */
  readonly emulator?: () => Promise<Emulator>;
  /**
   * Kind of key, but where RSA has a test of its own. @default "P-256", since making RSA keys takes
   * longer than all the rest
   */
  readonly keyAlgorithm?: KeyAlgorithm;
  /** Whether its TLS can be held to version 1.2; where it can't, servers are. @default true */
  readonly holdsVersion?: boolean;
  /** Whether what came before a connection's end is always read before that. @default true */
  readonly readsBeforeEnd?: boolean;
}

/** Declares the tests of the flow, with keys of this subject. */
export function describeFlow(subject: FlowSubject): void {
  const { host: hostFor, end, keyAlgorithm = "P-256", holdsVersion = true } = subject;
  const { readsBeforeEnd = true } = subject;
  const maxTlsVersion = holdsVersion ? "TLSv1.3" : "TLSv1.2";
  const state = { acceptEc: keyAlgorithm === "P-256", maxTlsVersion } as const;
  let emulator: Emulator;
  let closing: (() => Promise<unknown>)[] = [];
  const closeAll = async () => {
    for (const close of closing.splice(0).reverse()) await close();
  };

  before(async () => {
    emulator = await (subject.emulator ?? spawnEmulator)();
  });
  after(async () => {
    await closeAll();
    await emulator.close();
    await end?.();
  });
  beforeEach(async () => {
    await closeAll();
    closing = [];
    await emulator.reset();
    await emulator.set(state);
  });

  async function identityOf(
    options: Partial<ManagedIdentityOptions> = {},
  ): Promise<ManagedIdentity> {
    const environment = { AZURE_POD_IDENTITY_AUTHORITY_HOST: emulator.metadata };
    const host = await hostFor({ ca: emulator.ca, environment });
    // Each has a key of its own, in a token too.
    const keyId = `flow-${crypto.randomUUID()}`;
    const identity = managedIdentity({ ...host, keyId, keyAlgorithm, ...options });
    closing.push(
      () => host.close(),
      () => host.keys.remove(keyId),
      () => identity.close(),
    );
    return identity;
  }

  async function counted(): Promise<string> {
    const counts: Counts = await emulator.counts();
    return [counts.getplatformmetadata, counts.issuecredential, counts.token, counts.resource].join(
      "+",
    );
  }

  describe("a bound token from the emulator", () => {
    it("is issued for an RSA key that signs the request as the real service wants it", async () => {
      const identity = await identityOf({ keyAlgorithm: "RSA-2048" });
      const { tokenType, binding } = await identity.getToken({ resource: VAULT });
      assert.equal(tokenType, "mtls_pop");
      assert.equal(binding.credential.key.schemes[0], "rsa_pss_rsae_sha256");
      assert.equal(await counted(), "1+1+1+0");
      const [token] = await emulator.requests("token");
      assert.equal(token!.thumbprint, binding.credential.thumbprint);
      assert.equal(token!.tlsVersion, "TLSv1.2", "the Entra endpoint's pin");
      assert.equal(token!.reusedConnection, false);
    });

    it("is taken by a resource server that checks token, certificate and their tie", async () => {
      const identity = await identityOf();
      for (let i = 0; i < 3; i++) {
        const response = await identity.fetch(`${emulator.resource}/secrets/${i}`, {
          resource: VAULT,
        });
        assert.equal(response.status, 200);
        await response.body?.cancel();
      }
      assert.equal(await counted(), "1+1+1+3");
      const requests = await emulator.requests("resource");
      assert.deepEqual(requests.map(({ tlsVersion }) => tlsVersion), [
        maxTlsVersion,
        maxTlsVersion,
        maxTlsVersion,
      ]);
    });

    it("may go over TLS 1.3 to the token endpoint where that is wanted", async () => {
      await emulator.set({ maxTlsVersion: "TLSv1.3" });
      const identity = await identityOf({ tokenTlsVersion: "TLSv1.3" });
      await identity.getToken({ resource: VAULT });
      assert.equal((await emulator.requests("token"))[0]!.tlsVersion, "TLSv1.3");
    });

    it("costs 1 + 1 + 1 requests for 100 concurrent callers, all by one correlation id", async () => {
      const identity = await identityOf();
      await Promise.all(Array.from({ length: 100 }, () => identity.getToken({ resource: VAULT })));
      assert.equal(await counted(), "1+1+1+0");
      const ids = (await emulator.requests()).map(({ correlationId }) => correlationId);
      assert.equal(new Set(ids).size, 1);
    });

    const [system, user] = DEFAULT_IDENTITIES;
    const named: [name: string, id: ManagedIdentityId, clientId: string][] = [
      ["the host's own identity", {}, system!.clientId],
      ["a client id", { clientId: user!.clientId }, user!.clientId],
      ["an object id", { objectId: user!.objectId! }, user!.clientId],
      ["a resource id", { resourceId: user!.resourceId! }, user!.clientId],
    ];
    for (const [name, id, clientId] of named) {
      it(`comes with a certificate for ${name} whose subject names client and tenant`, async () => {
        const identity = await identityOf(id);
        const { binding } = await identity.getToken({ resource: VAULT });
        const subject = parseName(binding.credential.leaf.subject);
        assert.equal(attribute(subject, COMMON_NAME), clientId);
        assert.equal(attribute(subject, DOMAIN_COMPONENT), DEFAULT_TENANT_ID);
        assert.equal(binding.clientId, clientId);
        const again = await identity.getToken({ resource: VAULT });
        assert.equal(again.binding, binding);
        assert.equal(await counted(), "1+1+1+0");
      });
    }

    it("isn't to be had for an identity that the host doesn't have", async () => {
      const identity = await identityOf({ clientId: "00000000-0000-0000-0000-000000000000" });
      await assert.rejects(identity.getToken({ resource: VAULT }), {
        code: "managed_identity_request_failed",
        status: 400,
      });
    });

    it("isn't to be had where only version 1 of the metadata service runs", async () => {
      await emulator.set({ v1Only: true });
      const identity = await identityOf();
      await assert.rejects(identity.getToken({ resource: VAULT }), {
        code: "mtls_pop_token_not_supported_in_imds_v1",
      });
      assert.equal(await counted(), "1+0+0+0");
    });

    it("is renewed with claims when the resource server challenges", async () => {
      const identity = await identityOf();
      const claims = { access_token: { nbf: { essential: true, value: "1700000000" } } };
      await emulator.script("resource", claimsChallenge(claims));
      const response = await identity.fetch(`${emulator.resource}/`, { resource: VAULT });
      assert.equal(response.status, 200);
      await response.body?.cancel();
      assert.equal(await counted(), "1+1+2+2");
    });
  });

  describe("a binding that breaks over real TLS", () => {
    const faults: [name: string, fault: ConnectionFault][] = [
      ["alert bad_certificate", { kind: "alert", alert: "bad_certificate" }],
      ["alert certificate_revoked", { kind: "alert", alert: "certificate_revoked" }],
      ["alert unknown_ca", { kind: "alert", alert: "unknown_ca" }],
      ["alert handshake_failure", { kind: "alert", alert: "handshake_failure" }],
      ["a reset when the connection is accepted", { kind: "close", at: "accept" }],
      ["a reset after the ClientHello", { kind: "close", at: "client_hello" }],
      ["a reset after the certificate", { kind: "close", at: "second_flight" }],
      ["a FIN after the certificate", { kind: "close", at: "second_flight", how: "fin" }],
    ];
    for (const [name, fault] of faults) {
      it(`heals with one mint after ${name}`, async () => {
        const identity = await identityOf();
        const before = await identity.getToken({ resource: VAULT });
        await emulator.fault("token", { version: "TLSv1.2", ...fault });
        const after = await identity.getToken({ resource: VAULT, forceRefresh: true });
        assert.equal(await counted(), "2+2+2+0");
        assert.notEqual(
          after.binding.credential.thumbprint,
          before.binding.credential.thumbprint,
        );
      });
    }

    const late: [name: string, fault: ConnectionFault][] = [
      ["a reset", { kind: "close", at: "second_flight", how: "reset" }],
      ["alert certificate_expired", { kind: "alert", alert: "certificate_expired" }],
    ];
    for (const [name, fault] of late) {
      it(`heals with one mint after ${name} under TLS 1.3`, async () => {
        await emulator.set({ maxTlsVersion: "TLSv1.3" });
        const identity = await identityOf({ tokenTlsVersion: "TLSv1.3" });
        await identity.getToken({ resource: VAULT });
        await emulator.fault("token", fault);
        await identity.getToken({ resource: VAULT, forceRefresh: true });
        assert.equal(await counted(), "2+2+2+0");
      });
    }

    it("heals with one mint after invalid_client, and after a revocation", async () => {
      const identity = await identityOf();
      await identity.getToken({ resource: VAULT });
      await emulator.script("token", invalidClient());
      await identity.getToken({ resource: VAULT, forceRefresh: true });
      assert.equal(await counted(), "2+2+3+0");
      const other = await identityOf();
      await other.getToken({ resource: VAULT });
      await emulator.revoke({ issued: true });
      await other.getToken({ resource: VAULT, forceRefresh: true });
      assert.equal(await counted(), "4+4+6+0");
    });

    it("costs one re-mint when everything is rejected, however many callers", async () => {
      const identity = await identityOf();
      await emulator.fault("token", {
        kind: "alert",
        alert: "bad_certificate",
        version: "TLSv1.2",
        times: "forever",
      });
      const all = await Promise.allSettled(
        Array.from(
          { length: 20 },
          (_, i) => identity.getToken({ resource: `https://r${i}.example` }),
        ),
      );
      assert.ok(all.every(({ status }) => status === "rejected"));
      await assert.rejects(identity.getToken({ resource: VAULT }), {
        code: "tls_credential_rejected",
      });
      assert.equal((await emulator.counts()).issuecredential, 2);
    });

    const innocent: [name: string, fault: ConnectionFault, code: string][] = [
      ["alert internal_error", { kind: "alert", alert: "internal_error" }, "tls_protocol_error"],
      ["plain HTTP", { kind: "plain_http" }, "tls_protocol_error"],
    ];
    for (const [name, fault, code] of innocent) {
      it(`keeps its certificate after ${name}`, async () => {
        const identity = await identityOf();
        const before = await identity.getToken({ resource: VAULT });
        await emulator.fault("token", fault);
        const asked = identity.getToken({ resource: VAULT, forceRefresh: true });
        await assert.rejects(asked, { code });
        const after = await identity.getToken({ resource: VAULT, forceRefresh: true });
        assert.equal(after.binding, before.binding);
        assert.equal((await emulator.counts()).issuecredential, 1);
      });
    }

    for (const serverCertificate of ["expired", "wrong_host", "untrusted"] as const) {
      it(`is never shown to a server whose certificate is ${serverCertificate}`, async () => {
        const events: KeyboundEvent[] = [];
        const identity = await identityOf({ onEvent: (event) => void events.push(event) });
        await emulator.set({ serverCertificate });
        await assert.rejects(identity.getToken({ resource: VAULT }), {
          code: "tls_server_untrusted",
        });
        assert.equal(await counted(), "1+1+0+0");
        assert.equal(events.some(({ type }) => type === "evict"), false);
        await emulator.set({ serverCertificate: "valid" });
        await identity.getToken({ resource: VAULT });
        assert.equal(await counted(), "1+1+1+0");
      });
    }
  });

  if (readsBeforeEnd) {
    describe("answers that break off", () => {
      const steps: [endpoint: "getplatformmetadata" | "issuecredential" | "token", Step, string][] =
        [
          ["getplatformmetadata", { kind: "truncate" }, "managed_identity_request_failed"],
          // Deno and Bun send a GET again when its connection is reset.
          ["getplatformmetadata", { kind: "drop", times: 4 }, "managed_identity_request_failed"],
          ["getplatformmetadata", { kind: "flood", bytes: 5_000_000 }, "response_too_large"],
          [
            "issuecredential",
            { kind: "truncate", how: "reset" },
            "managed_identity_request_failed",
          ],
          ["issuecredential", { kind: "flood", bytes: 5_000_000 }, "response_too_large"],
          ["token", { kind: "truncate" }, "connection_reset"],
          ["token", { kind: "truncate", how: "reset" }, "connection_reset"],
          ["token", { kind: "flood", bytes: 5_000_000 }, "response_too_large"],
        ];
      for (const [endpoint, step, code] of steps) {
        it(`${endpoint}, ${step.kind}: ${code}, and the next call works`, async () => {
          const identity = await identityOf();
          await emulator.script(endpoint, step);
          await assert.rejects(identity.getToken({ resource: VAULT }), { code });
          await emulator.unscript();
          await identity.getToken({ resource: VAULT });
          const { issuecredential } = await emulator.counts();
          assert.equal(issuecredential, endpoint === "issuecredential" ? 2 : 1);
        });
      }

      for (const endpoint of ["getplatformmetadata", "issuecredential"] as const) {
        it(`${endpoint}, redirect: redirect_refused, and nothing is asked of the target`, async () => {
          const identity = await identityOf();
          const target = `${emulator.metadata}/metadata/instance/compute?api-version=2021-02-01`;
          await emulator.script(endpoint, redirect(target));
          await assert.rejects(identity.getToken({ resource: VAULT }), {
            code: "redirect_refused",
            status: 307,
          });
          const asked = (await emulator.requests()).map((request) => request.endpoint);
          const expected = ["getplatformmetadata", "issuecredential"];
          assert.deepEqual(asked, expected.slice(0, expected.indexOf(endpoint) + 1));
          await identity.getToken({ resource: VAULT });
        });
      }
    });
  }

  it("a call ends whose signal is aborted while the server is silent", async () => {
    const identity = await identityOf();
    await identity.getToken({ resource: VAULT });
    await emulator.fault("token", { kind: "silent" });
    const controller = new AbortController();
    const reason = new Error("Called off by the test.");
    const asked = identity.getToken({
      resource: VAULT,
      forceRefresh: true,
      signal: controller.signal,
    });
    asked.catch(() => {});
    while ((await emulator.counts()).token_connections < 2) await Promise.resolve();
    controller.abort(reason);
    await assert.rejects(asked, reason);
  });
}
