import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import { after, before, beforeEach, describe, it } from "node:test";
import { type Emulator, type Json, startEmulator } from "../../emulator/mod.ts";
import { csr, mint, rsaKey, SYSTEM, TENANT, USER } from "./support/csr.ts";
import { postCredential, send, V2 } from "./support/http.ts";

const DAY = 24 * 3600_000;

describe("the emulated credential endpoint", () => {
  const key = rsaKey();
  const other = rsaKey();
  let emulator: Emulator;
  before(async () => {
    emulator = await startEmulator();
  });
  beforeEach(() => emulator.reset());
  after(() => emulator.close());

  describe("refuses a request", () => {
    const body = (): Json => ({ csr: csr({ key }) });
    const table: [string, () => Promise<{ status: number; json: Record<string, Json> }>, RegExp][] =
      [
        [
          "without Metadata",
          () => postCredential(emulator, body(), { headers: { metadata: "" } }),
          /metadata header/,
        ],
        [
          "with X-Forwarded-For",
          () => postCredential(emulator, body(), { headers: { "x-forwarded-for": "::1" } }),
          /X-Forwarded-For/,
        ],
        [
          "of another API version",
          () => postCredential(emulator, body(), { query: "cred-api-version=3.0" }),
          /cred-api-version/,
        ],
        [
          "of an unknown identity",
          () => postCredential(emulator, body(), { query: `${V2}&client_id=none` }),
          /Identity not found/,
        ],
        [
          "that isn't application/json",
          () => postCredential(emulator, body(), { headers: { "content-type": "text/plain" } }),
          /application\/json/,
        ],
        ["that isn't JSON", () => postCredential(emulator, "{"), /JSON object/],
        ["that is a JSON array", () => postCredential(emulator, "[]"), /JSON object/],
        ["without a csr", () => postCredential(emulator, {}), /'csr'/],
        ["whose csr is no string", () => postCredential(emulator, { csr: 1 }), /'csr'/],
        ["in camelCase", () => postCredential(emulator, { CSR: csr({ key }) }), /'csr'/],
      ];
    for (const [what, request, reason] of table) {
      it(what, async () => {
        const answer = await request();
        assert.equal(answer.status, 400);
        assert.match(`${answer.json["error_description"]}`, reason);
      });
    }

    it("by GET", async () => {
      const url = `${emulator.metadata}/metadata/identity/issuecredential?${V2}`;
      assert.equal((await send(url, { headers: { metadata: "true" } })).status, 405);
    });

    it("larger than any request can be", async () => {
      const answer = await postCredential(emulator, { csr: "A".repeat(300_000) });
      assert.equal(answer.status, 413);
    });

    it("on a host that has IMDS v1 only", async () => {
      await emulator.set({ v1Only: true });
      assert.equal((await postCredential(emulator, body())).status, 404);
    });
  });

  describe("issues a certificate", () => {
    it("over the CSR's key, for the identity, by its CA, for TLS clients", async () => {
      const answer = await postCredential(emulator, { csr: csr({ key }) });
      assert.deepEqual(Object.keys(answer.json).sort(), [
        "certificate",
        "client_id",
        "identity_type",
        "mtls_authentication_endpoint",
        "tenant_id",
      ]);
      assert.equal(answer.json["client_id"], SYSTEM);
      assert.equal(answer.json["tenant_id"], TENANT);
      assert.equal(answer.json["identity_type"], "SystemAssigned");
      assert.equal(answer.json["mtls_authentication_endpoint"], emulator.mtls);
      const leaf = new X509Certificate(Buffer.from(`${answer.json["certificate"]}`, "base64"));
      assert.ok(leaf.verify(new X509Certificate(emulator.ca).publicKey));
      assert.deepEqual(
        leaf.publicKey.export({ format: "der", type: "spki" }),
        key.publicKey.export({ format: "der", type: "spki" }),
      );
      assert.match(leaf.subject, new RegExp(`CN=${SYSTEM}`));
      assert.match(leaf.subject, new RegExp(`DC=${TENANT}`));
      assert.match(leaf.issuer, /managedidentitysnissuer\.login\.microsoft\.com/);
      assert.ok(!leaf.ca);
    });

    it("for a user-assigned identity by its selector", async () => {
      const answer = await postCredential(emulator, {
        csr: csr({ key, subject: [[["DC", TENANT]], [["CN", USER]]] }),
      }, { query: `${V2}&client_id=${USER}` });
      assert.equal(answer.json["client_id"], USER);
      assert.equal(answer.json["identity_type"], "UserAssigned");
    });

    it("with a new serial number each time", async () => {
      const [first, second] = [await mint(emulator, key), await mint(emulator, key)];
      assert.notEqual(first.certificate.serialNumber, second.certificate.serialNumber);
      assert.notEqual(first.thumbprint, second.thumbprint);
    });

    it("that lives 7 days from now", async () => {
      const { certificate } = await mint(emulator, key);
      const now = await emulator.now();
      assert.ok(Math.abs(Date.parse(certificate.validFrom) - now) < 10_000);
      assert.ok(Math.abs(Date.parse(certificate.validTo) - now - 7 * DAY) < 10_000);
    });

    it("with the life, start and clock that were set", async () => {
      await emulator.set({ certificateLifetime: 3600_000, certificateBackdate: 600_000 });
      await emulator.advance(30 * DAY);
      const { certificate } = await mint(emulator, key);
      const now = await emulator.now();
      assert.ok(now > Date.now() + 29 * DAY);
      assert.ok(Math.abs(Date.parse(certificate.validFrom) - now + 600_000) < 10_000);
      assert.ok(Math.abs(Date.parse(certificate.validTo) - now - 3600_000) < 10_000);
    });

    it("over a stranger's key when told to", async () => {
      await emulator.set({ wrongCertificateKey: true });
      const { certificate } = await mint(emulator, key);
      assert.equal(certificate.publicKey.asymmetricKeyType, "rsa");
      assert.notDeepEqual(
        certificate.publicKey.export({ format: "der", type: "spki" }),
        key.publicKey.export({ format: "der", type: "spki" }),
      );
    });
  });

  describe("with attestation", () => {
    const spki = (pair = key) =>
      pair.publicKey.export({ format: "der", type: "spki" }).toString("base64");
    const attest = (body: Json) =>
      send(`${emulator.attestation}/attest/keyguard`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
    const MISSING = {
      error: "invalid_request",
      error_description: "Attestation Token is missing / empty in the issue credential request",
    };

    it("refuses a request without a token where one is required", async () => {
      await emulator.set({ attestation: "required" });
      const bodies: Json[] = [
        { csr: csr({ key }) },
        { csr: csr({ key }), attestation_token: "" },
      ];
      for (const body of bodies) {
        const answer = await postCredential(emulator, body);
        assert.equal(answer.status, 400);
        assert.deepEqual(answer.json, MISSING);
      }
    });

    it("refuses a token that it didn't sign, even where none is required", async () => {
      const answer = await postCredential(emulator, {
        csr: csr({ key }),
        attestation_token: "e30.e30.AA",
      });
      assert.equal(answer.status, 400);
      assert.match(`${answer.json["error_description"]}`, /attestation token is not valid/);
    });

    it("refuses a token for another key, for another client, or expired", async () => {
      const otherKey = (await attest({ spki: spki(other), client_id: SYSTEM })).json["token"]!;
      const otherClient = (await attest({ spki: spki(), client_id: USER })).json["token"]!;
      const expired = (await attest({ spki: spki(), client_id: SYSTEM })).json["token"]!;
      for (const token of [otherKey, otherClient]) {
        const answer = await postCredential(emulator, {
          csr: csr({ key }),
          attestation_token: token,
        });
        assert.equal(answer.status, 400);
      }
      await emulator.advance(9 * 3600_000);
      const answer = await postCredential(emulator, {
        csr: csr({ key }),
        attestation_token: expired,
      });
      assert.equal(answer.status, 400);
    });

    it("attests public keys only, for identities of the host only", async () => {
      const wrong: Json[] = [
        {},
        { spki: "AAAA", client_id: SYSTEM },
        { jwk: key.privateKey.export({ format: "jwk" }) as Json, client_id: SYSTEM },
        { spki: spki() },
        { spki: spki(), client_id: TENANT },
      ];
      for (const body of wrong) assert.equal((await attest(body)).status, 400);
      assert.equal((await emulator.counts()).attest, wrong.length);
    });

    it("issues a certificate for an attested key, given as SPKI or as JWK", async () => {
      await emulator.set({ attestation: "required" });
      const jwk = key.publicKey.export({ format: "jwk" }) as Json;
      const bodies: Json[] = [{ spki: spki(), client_id: SYSTEM }, { jwk, client_id: SYSTEM }];
      for (const body of bodies) {
        const { json } = await attest(body);
        const { thumbprint, certificate } = await mint(emulator, key, {
          attestationToken: `${json["token"]}`,
        });
        assert.equal(
          thumbprint,
          createHash("sha256").update(certificate.raw).digest("base64url"),
        );
      }
    });
  });
});
