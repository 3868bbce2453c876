import assert from "node:assert/strict";
import http from "node:http";
import { after, before, beforeEach, describe, it } from "node:test";
import { type Emulator, startEmulator } from "../../emulator/mod.ts";
import { csr, mint, rsaKey, SYSTEM, TENANT } from "./support/csr.ts";
import { getMetadata, postCredential, postToken, send, V2 } from "./support/http.ts";

const PLATFORM = `identity/getplatformmetadata?${V2}`;
const ID = "11111111-2222-4333-8444-555555555555";

describe("the emulator's records", () => {
  const key = rsaKey();
  let emulator: Emulator;
  before(async () => {
    emulator = await startEmulator({ history: 50 });
  });
  beforeEach(() => emulator.reset());
  after(() => emulator.close());

  it("hold no token, key, assertion or secret, wherever it was sent", async () => {
    const secret = "s3cr3t-value";
    const client = await mint(emulator, key);
    await postCredential(emulator, { csr: csr({ key }), attestation_token: secret, other: secret });
    const form = {
      client_id: SYSTEM,
      scope: "https://vault.azure.net/.default",
      grant_type: "client_credentials",
      token_type: "mtls_pop",
      client_assertion: secret,
      client_secret: secret,
      unheard_of: secret,
    };
    await postToken(emulator, TENANT, form, {
      client,
      headers: { cookie: secret, "x-identity-header": secret, "x-custom": secret },
    });
    const token = `${
      (await postToken(emulator, TENANT, {
        client_id: SYSTEM,
        scope: "https://vault.azure.net/.default",
        grant_type: "client_credentials",
        token_type: "mtls_pop",
      }, { client })).json["access_token"]
    }`;
    await send(`${emulator.resource}/a?access_token=${token}&x=${token}&sig=${secret}`, {
      ca: emulator.ca,
      client,
      headers: { authorization: `mtls_pop ${token}`, "user-agent": token },
    });
    const records = await emulator.requests();
    const text = JSON.stringify(records);
    assert.equal(records.length, 5);
    for (const hidden of [secret, token, token.split(".")[2]!, csr({ key }).slice(0, 64)]) {
      assert.ok(!text.includes(hidden));
    }
    assert.ok(!text.includes("PRIVATE KEY"));
  });

  it("tell what was sent otherwise", async () => {
    const client = await mint(emulator, key);
    await postCredential(emulator, { csr: csr({ key }), attestation_token: "" }, {
      headers: { "x-ms-client-request-id": ID },
    });
    const [, issue] = await emulator.requests("issuecredential");
    assert.equal(issue!.method, "POST");
    assert.equal(issue!.path, "/metadata/identity/issuecredential");
    assert.deepEqual(issue!.query, { "cred-api-version": "2.0" });
    assert.deepEqual(issue!.fields, { csr: null, attestation_token: "" });
    assert.equal(issue!.headers["metadata"], "true");
    assert.equal(issue!.correlationId, ID);
    assert.equal(issue!.status, 200);
    assert.equal(issue!.thumbprint, null);
    assert.equal(issue!.tlsVersion, null);

    await postToken(emulator, TENANT, {
      client_id: SYSTEM,
      scope: "x/.default",
      grant_type: "client_credentials",
      claims: "{}",
    }, { client, headers: { "client-request-id": ID, "x-client-sku": "keybound" } });
    const [token] = await emulator.requests("token");
    assert.deepEqual(token!.fields, {
      client_id: SYSTEM,
      scope: "x/.default",
      grant_type: "client_credentials",
      claims: "{}",
    });
    assert.equal(token!.correlationId, ID);
    assert.equal(token!.thumbprint, client.thumbprint);
    assert.match(`${token!.tlsVersion}`, /^TLSv1\.[23]$/);
    assert.equal(token!.headers["x-client-sku"], "keybound");
    assert.equal(token!.authorizationScheme, null);
  });

  it("tell the scheme of an Authorization header, no more", async () => {
    await getMetadata(emulator, PLATFORM, { authorization: "mtls_pop a.b.c" });
    await getMetadata(emulator, PLATFORM, { authorization: "a.b.c" });
    const records = await emulator.requests();
    assert.deepEqual(records.map((record) => record.authorizationScheme), ["mtls_pop", ""]);
    assert.deepEqual(records.map((record) => record.headers["authorization"]), [null, null]);
  });

  it("tell connections apart, also those that were used before", async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const url = `${emulator.metadata}/metadata/${PLATFORM}`;
    for (let i = 0; i < 2; i++) await send(url, { agent });
    agent.destroy();
    await send(url);
    const [first, second, third] = await emulator.requests();
    assert.deepEqual([first, second, third].map((record) => record!.reusedConnection), [
      false,
      true,
      false,
    ]);
    assert.equal(first!.connection, second!.connection);
    assert.notEqual(second!.connection, third!.connection);
  });

  it("are the latest ones only, while counts go on", async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
    const url = `${emulator.metadata}/metadata/${PLATFORM}`;
    const one = () => send(url, { agent, headers: { metadata: "true" } });
    for (let i = 0; i < 50; i++) await Promise.all(Array.from({ length: 40 }, one));
    agent.destroy();
    assert.equal((await emulator.counts()).getplatformmetadata, 2000);
    const records = await emulator.requests();
    assert.equal(records.length, 50);
    assert.equal(records[49]!.sequence - records[0]!.sequence, 49);
  });

  it("are forgotten by reset, counts too", async () => {
    await getMetadata(emulator, PLATFORM);
    await emulator.reset();
    assert.deepEqual(await emulator.requests(), []);
    assert.equal((await emulator.counts()).getplatformmetadata, 0);
  });

  it("are asked for by the name of an endpoint only", async () => {
    await assert.rejects(emulator.requests("nothing" as "token"), { code: "invalid_argument" });
  });
});
