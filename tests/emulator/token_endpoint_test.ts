import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from "jose";
import { DEFAULT_APPLICATIONS, type Emulator, startEmulator } from "../../emulator/mod.ts";
import { ecKey, issueFor, mint, rsaKey, SYSTEM, TENANT, TOKEN_FORM } from "./support/csr.ts";
import { type ClientPem, postToken, send, type Sending } from "./support/http.ts";

const RESOURCE = "https://vault.azure.net";
const APPLICATION = DEFAULT_APPLICATIONS[0]!.clientId;

describe("the emulated token endpoint", () => {
  const key = rsaKey();
  let emulator: Emulator;
  let client: ClientPem & { thumbprint: string };
  before(async () => {
    emulator = await startEmulator();
  });
  beforeEach(async () => {
    await emulator.reset();
    client = await mint(emulator, key);
  });
  after(() => emulator.close());

  const post = (form: Readonly<Record<string, string>> | string, sending: Sending = {}) =>
    postToken(emulator, TENANT, form, { client, ...sending });

  describe("issues a token", () => {
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      it(`bound to the certificate presented, over ${version}`, async () => {
        const { status, json } = await post(TOKEN_FORM, { version });
        assert.equal(status, 200);
        assert.equal(json["token_type"], "mtls_pop");
        assert.equal(json["expires_in"], 86399);
        assert.equal(json["refresh_in"], 43199);
        assert.equal(json["resource"], RESOURCE);
        const keys = await send(`${emulator.mtls}/${TENANT}/discovery/v2.0/keys`, {
          ca: emulator.ca,
        });
        const { payload } = await jwtVerify(
          `${json["access_token"]}`,
          createLocalJWKSet(keys.json as unknown as JSONWebKeySet),
          { issuer: `${emulator.mtls}/${TENANT}/v2.0`, audience: RESOURCE },
        );
        assert.deepEqual(payload["cnf"], { "x5t#S256": client.thumbprint });
        assert.equal(payload["appid"], SYSTEM);
        assert.equal(payload["tid"], TENANT);
        assert.equal(payload.exp! - payload.iat!, 86399);
        assert.equal(payload["xms_cc"], undefined);
        const [record] = await emulator.requests("token");
        assert.equal(record!.tlsVersion, version);
      });
    }

    it("for a P-256 key", async () => {
      const answer = await post(TOKEN_FORM, { client: await issueFor(emulator, ecKey(), SYSTEM) });
      assert.equal(answer.status, 200, answer.body.toString());
    });

    it("that is a plain bearer token when none other is asked for", async () => {
      const { token_type: _, ...form } = TOKEN_FORM;
      const { json } = await post(form);
      assert.equal(json["token_type"], "Bearer");
      const [, payload] = `${json["access_token"]}`.split(".");
      assert.equal(JSON.parse(Buffer.from(payload!, "base64url").toString()).cnf, undefined);
    });

    it("with the client capabilities that were asked for", async () => {
      const claims = JSON.stringify({ access_token: { xms_cc: { values: ["cp1"] } } });
      const { json } = await post({ ...TOKEN_FORM, claims });
      const [, payload] = `${json["access_token"]}`.split(".");
      assert.deepEqual(JSON.parse(Buffer.from(payload!, "base64url").toString()).xms_cc, ["cp1"]);
    });

    it("and echoes the client's request id only when asked to", async () => {
      const id = "11111111-2222-4333-8444-555555555555";
      const silent = await post(TOKEN_FORM, { headers: { "client-request-id": id } });
      assert.equal(silent.headers["client-request-id"], undefined);
      const echoed = await post(TOKEN_FORM, {
        headers: { "client-request-id": id, "return-client-request-id": "true" },
      });
      assert.equal(echoed.headers["client-request-id"], id);
    });

    it("with the life, type, audience and binding that were set", async () => {
      await emulator.set({
        tokenLifetime: 60_000,
        tokenRefreshIn: null,
        tokenType: "Bearer",
        tokenAudience: "https://elsewhere.example",
        tokenBound: false,
      });
      const { json } = await post(TOKEN_FORM);
      assert.equal(json["expires_in"], 60);
      assert.equal("refresh_in" in json, false);
      assert.equal(json["token_type"], "Bearer");
      const [, payload] = `${json["access_token"]}`.split(".");
      const claims = JSON.parse(Buffer.from(payload!, "base64url").toString());
      assert.equal(claims.aud, "https://elsewhere.example");
      assert.equal(claims.cnf, undefined);
    });
  });

  it("describes itself in its OpenID configuration", async () => {
    const { json } = await send(
      `${emulator.mtls}/${TENANT}/v2.0/.well-known/openid-configuration`,
      { ca: emulator.ca },
    );
    assert.equal(json["issuer"], `${emulator.mtls}/${TENANT}/v2.0`);
    assert.equal(json["token_endpoint"], `${emulator.mtls}/${TENANT}/oauth2/v2.0/token`);
    assert.equal(json["jwks_uri"], `${emulator.mtls}/${TENANT}/discovery/v2.0/keys`);
  });

  it("knows an application by a certificate made with issue", async () => {
    const certificate = await issueFor(emulator, ecKey(), APPLICATION);
    const answer = await post({ ...TOKEN_FORM, client_id: APPLICATION }, { client: certificate });
    assert.equal(answer.status, 200, answer.body.toString());
  });
});
