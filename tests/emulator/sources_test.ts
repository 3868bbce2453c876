import assert from "node:assert/strict";
import { createHash, X509Certificate } from "node:crypto";
import { after, before, beforeEach, describe, it } from "node:test";
import { DEFAULT_IDENTITIES, type Emulator, startEmulator } from "../../emulator/mod.ts";
import { type Answer, failureOf, send } from "./support/http.ts";
import { asked, claimsOf, endpointOf, type SourceName, SOURCES } from "./support/sources.ts";

const [SYSTEM, USER] = [DEFAULT_IDENTITIES[0]!, DEFAULT_IDENTITIES[1]!];
const RESOURCE = "https://vault.azure.net";
const HASH = "ab".repeat(32);

/** Changes of a good request; `undefined` takes a parameter or header away. */
interface Change {
  readonly parameters?: Readonly<Record<string, string | undefined>>;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly method?: string;
  /** Appended to the query or the form. */
  readonly tail?: string;
}

describe("the emulated managed identity sources", () => {
  let emulator: Emulator;
  before(async () => {
    emulator = await startEmulator();
  });
  beforeEach(() => emulator.reset());
  after(() => emulator.close());

  function request(source: SourceName, change: Change = {}): Promise<Answer> {
    const { url, sending, form } = asked(emulator, source, change.parameters, change.headers);
    const { method = form === undefined ? "GET" : "POST", tail = "" } = change;
    const body = form === undefined || method === "GET" ? {} : { body: form + tail };
    return send(form === undefined ? url + tail : url, { ...sending, ...body, method });
  }

  const refusals: [SourceName, string, Change, number, RegExp][] = [
    ["appservice", "no secret", { headers: { "x-identity-header": undefined } }, 401, /missing/],
    ["appservice", "a wrong secret", { headers: { "x-identity-header": "x" } }, 403, /wrong/],
    [
      "appservice",
      "the secret in another header",
      { headers: { "x-identity-header": undefined, secret: "x" } },
      401,
      /missing/,
    ],
    ["appservice", "POST", { method: "POST" }, 405, /GET/],
    ["appservice", "no version", { parameters: { "api-version": undefined } }, 400, /api-version/],
    [
      "appservice",
      "Machine Learning's version",
      { parameters: { "api-version": "2017-09-01" } },
      400,
      /api-version/,
    ],
    ["appservice", "no resource", { parameters: { resource: undefined } }, 400, /resource/],
    ["appservice", "an empty resource", { parameters: { resource: "" } }, 400, /resource/],
    ["appservice", "the resource twice", { tail: "&resource=x" }, 400, /more than once/],
    [
      "appservice",
      "two selectors",
      { parameters: { client_id: USER.clientId, object_id: USER.objectId! } },
      400,
      /More than one/,
    ],
    [
      "appservice",
      "IMDS's spelling of the resource id",
      { parameters: { msi_res_id: USER.resourceId! } },
      400,
      /msi_res_id/,
    ],
    ["appservice", "an unknown identity", { parameters: { client_id: "x" } }, 400, /not found/],
    ["machinelearning", "no secret", { headers: { secret: undefined } }, 401, /missing/],
    ["machinelearning", "a wrong secret", { headers: { secret: "x" } }, 403, /wrong/],
    ["machinelearning", "no identity", { parameters: { clientid: undefined } }, 400, /clientid/],
    [
      "machinelearning",
      "App Service's spelling of the client id",
      { parameters: { clientid: undefined, client_id: USER.clientId } },
      400,
      /clientid/,
    ],
    [
      "machinelearning",
      "a second selector",
      { parameters: { object_id: USER.objectId! } },
      400,
      /More than one/,
    ],
    [
      "machinelearning",
      "App Service's version",
      { parameters: { "api-version": "2019-08-01" } },
      400,
      /api-version/,
    ],
    ["cloudshell", "GET", { method: "GET" }, 405, /POST/],
    ["cloudshell", "no Metadata", { headers: { metadata: undefined } }, 400, /metadata header/],
    ["cloudshell", "JSON", { headers: { "content-type": "application/json" } }, 400, /form/],
    ["cloudshell", "no resource", { parameters: { resource: undefined } }, 400, /resource/],
    ["cloudshell", "a selector", { parameters: { client_id: USER.clientId } }, 400, /client_id/],
    ["arc", "no Metadata", { headers: { metadata: undefined } }, 400, /metadata header/],
    ["arc", "another version", { parameters: { "api-version": "2019-11-01" } }, 400, /version/],
    ["arc", "no resource", { parameters: { resource: undefined } }, 400, /resource/],
    ["arc", "a selector", { parameters: { client_id: USER.clientId } }, 400, /client_id/],
    ["servicefabric", "no secret", { headers: { secret: undefined } }, 401, /missing/],
    ["servicefabric", "a wrong secret", { headers: { secret: "x" } }, 403, /wrong/],
    [
      "servicefabric",
      "another version",
      { parameters: { "api-version": "2019-08-01" } },
      400,
      /version/,
    ],
    ["servicefabric", "a client id", { parameters: { client_id: USER.clientId } }, 400, /client_i/],
    [
      "servicefabric",
      "a hash that isn't one",
      { parameters: { token_sha256_to_refresh: "x" } },
      400,
      /SHA-256/,
    ],
    ["servicefabric", "an empty capability", { parameters: { xms_cc: "cp1," } }, 400, /xms_cc/],
  ];
  for (const [source, what, change, status, message] of refusals) {
    it(`refuse ${what} at ${source}`, async () => {
      const answer = await request(source, change);
      assert.equal(answer.status, status, answer.body.toString());
      const { error, message: text, error_description, ...rest } = answer.json;
      assert.equal(typeof error, "string");
      assert.match(`${text ?? error_description}`, message);
      if (status !== 405) assert.match(`${rest["correlationId"]}`, /^[0-9a-f-]{36}$/);
      assert.equal(answer.json["access_token"], undefined);
      assert.equal((await emulator.counts())[endpointOf(source)], 1);
    });
  }

  const selected: [SourceName, Readonly<Record<string, string>>, string][] = [
    ["appservice", {}, SYSTEM.clientId],
    ["appservice", { client_id: USER.clientId }, USER.clientId],
    ["appservice", { client_id: USER.clientId.toUpperCase() }, USER.clientId],
    ["appservice", { object_id: USER.objectId! }, USER.clientId],
    ["appservice", { mi_res_id: USER.resourceId! }, USER.clientId],
    ["machinelearning", {}, SYSTEM.clientId],
    ["machinelearning", { clientid: USER.clientId }, USER.clientId],
    ["cloudshell", {}, SYSTEM.clientId],
    ["servicefabric", {}, SYSTEM.clientId],
    ["servicefabric", { principalId: USER.objectId! }, USER.clientId],
    ["servicefabric", { "api-version": "2019-07-01-preview" }, SYSTEM.clientId],
    ["imds", {}, SYSTEM.clientId],
    ["imds", { client_id: USER.clientId }, USER.clientId],
    ["imds", { object_id: USER.objectId! }, USER.clientId],
    ["imds", { msi_res_id: USER.resourceId! }, USER.clientId],
    ["imds", { mi_res_id: USER.resourceId! }, USER.clientId],
  ];
  for (const [source, parameters, clientId] of selected) {
    it(`give ${clientId} a bearer token at ${source} for {${Object.keys(parameters)}}`, async () => {
      const { status, json, body } = await request(source, { parameters });
      assert.equal(status, 200, body.toString());
      assert.equal(json["token_type"], "Bearer");
      assert.equal(json["resource"], RESOURCE);
      assert.equal(json["client_id"], clientId);
      assert.equal(typeof json["expires_on"], "string");
      const claims = claimsOf(json);
      assert.equal(claims["aud"], RESOURCE);
      assert.equal(claims["appid"], clientId);
      assert.equal(`${claims["exp"]}`, json["expires_on"]);
      assert.equal(claims["cnf"], undefined);
    });
  }

  for (const source of SOURCES) {
    it(`take steps, count and record without secrets at ${source}`, async () => {
      const endpoint = endpointOf(source);
      await emulator.script(endpoint, { kind: "respond", status: 500, json: {} });
      assert.equal((await request(source)).status, 500);
      const second = await request(source);
      assert.notEqual(second.status, 500);
      assert.equal((await emulator.counts())[endpoint], 2);
      const records = await emulator.requests(endpoint);
      assert.deepEqual(records.map(({ step }) => step), ["respond", null]);
      const [, { query, fields, status, tlsVersion }] = records as [unknown, typeof records[0]];
      assert.equal(query["resource"] ?? fields["resource"], RESOURCE);
      assert.equal(status, second.status);
      assert.equal(tlsVersion === null, source !== "servicefabric");
      const text = JSON.stringify(records);
      const { appservice, machinelearning, servicefabric } = emulator.sources;
      const secrets = [
        appservice.IDENTITY_HEADER,
        machinelearning.MSI_SECRET,
        servicefabric.IDENTITY_HEADER,
      ];
      assert.equal(new Set(secrets).size, 3);
      for (const secret of secrets) assert.ok(secret.length >= 43 && !text.includes(secret));
    });
  }

  it("put Service Fabric's capabilities into the token and record what is to be refreshed", async () => {
    const parameters = { xms_cc: "cp1,cp2", token_sha256_to_refresh: HASH };
    const { json } = await request("servicefabric", { parameters });
    assert.deepEqual(claimsOf(json)["xms_cc"], ["cp1", "cp2"]);
    const [record] = await emulator.requests("servicefabric");
    assert.equal(record!.query["xms_cc"], "cp1,cp2");
    assert.equal(record!.query["token_sha256_to_refresh"], HASH);
  });

  it("show a certificate at Service Fabric that the emulator's CA doesn't stand behind", async () => {
    const { url, sending } = asked(emulator, "servicefabric");
    await failureOf(send(url, { ...sending, ca: emulator.ca }));
    assert.equal((await emulator.counts()).servicefabric, 0);
  });

  it("publish the SHA-1 thumbprint of Service Fabric's certificate", () => {
    const der = new X509Certificate(emulator.serviceFabricCertificate).raw;
    assert.equal(
      emulator.sources.servicefabric.IDENTITY_SERVER_THUMBPRINT,
      createHash("sha1").update(der).digest("hex").toUpperCase(),
    );
  });

  it("know no other paths", async () => {
    const { sources, serviceFabricCertificate: ca } = emulator;
    for (const url of [sources.arc.IMDS_ENDPOINT, sources.servicefabric.IDENTITY_ENDPOINT]) {
      assert.equal((await send(new URL("/other", url).href, { ca })).status, 404);
    }
    assert.equal((await emulator.counts()).unknown, 2);
  });

  it("give tokens that live as long as the state says", async () => {
    await emulator.set({ tokenLifetime: 600_000 });
    const { json } = await request("appservice");
    const left = Number(json["expires_on"]) * 1000 - await emulator.now();
    assert.ok(left > 590_000 && left <= 600_000, `${left}`);
  });

  it("find no identity on a host without a system-assigned one", async () => {
    const { kind, clientId } = USER;
    const other = await startEmulator({ identities: [{ kind, clientId }] });
    try {
      const { url, sending } = asked(other, "appservice");
      const answer = await send(url, sending);
      assert.equal(answer.status, 400);
      assert.equal(answer.json["message"], "Identity not found");
      assert.equal(other.sources.machinelearning.DEFAULT_IDENTITY_CLIENT_ID, clientId);
    } finally {
      await other.close();
    }
  });
});
