import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, beforeEach, describe, it } from "node:test";
import { SignJWT } from "jose";
import { DEFAULT_APPLICATIONS, type Emulator, startEmulator } from "../../emulator/mod.ts";
import { clientPem, mint, rsaKey, SYSTEM, TENANT, USER } from "./support/csr.ts";
import { type Answer, type ClientPem, postToken } from "./support/http.ts";

const APPLICATION = DEFAULT_APPLICATIONS[0]!.clientId;
const JWT_POP = "urn:ietf:params:oauth:client-assertion-type:jwt-pop";
const JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const EXCHANGE = "api://AzureADTokenExchange";
const FORM = {
  client_id: APPLICATION,
  scope: "https://vault.azure.net/.default",
  grant_type: "client_credentials",
};

describe("an assertion at the emulated token endpoint", () => {
  const key = rsaKey();
  let emulator: Emulator;
  let binding: ClientPem & { thumbprint: string };
  before(async () => {
    emulator = await startEmulator();
  });
  beforeEach(async () => {
    await emulator.reset();
    binding = await mint(emulator, key);
  });
  after(() => emulator.close());

  /** The first leg: a token of the managed identity for the exchange. */
  async function firstLeg(fields: Record<string, string>, scope = EXCHANGE): Promise<string> {
    const form = {
      client_id: SYSTEM,
      scope: `${scope}/.default`,
      grant_type: "client_credentials",
      ...fields,
    };
    const answer = await postToken(emulator, TENANT, form, { client: binding });
    assert.equal(answer.status, 200, answer.body.toString());
    return `${answer.json["access_token"]}`;
  }

  const bound = { token_type: "mtls_pop" };
  const refused = (answer: Answer, code: number) =>
    assert.deepEqual(answer.json["error_codes"], [code], answer.body.toString());

  describe("of type jwt-pop", () => {
    const second = (assertion: string, client: ClientPem | undefined, more = {}) =>
      postToken(
        emulator,
        TENANT,
        { ...FORM, client_assertion: assertion, client_assertion_type: JWT_POP, ...more },
        client === undefined ? {} : { client },
      );

    it("is refused over another certificate than its own", async () => {
      const assertion = await firstLeg(bound);
      refused(await second(assertion, await mint(emulator, key)), 500181);
    });

    it("is refused without a certificate", async () => {
      refused(await second(await firstLeg(bound), undefined), 392200);
    });

    it("is refused when it isn't bound at all", async () => {
      refused(await second(await firstLeg({}), binding), 500181);
    });

    it("is refused when it is for another audience", async () => {
      refused(await second(await firstLeg(bound, "https://vault.azure.net"), binding), 700212);
    });

    it("is refused once it has expired", async () => {
      await emulator.set({ tokenLifetime: 60_000 });
      const assertion = await firstLeg(bound);
      await emulator.advance(120_000);
      refused(await second(assertion, binding), 700027);
    });

    it("is refused when it isn't a token at all", async () => {
      refused(await second("nonsense", binding), 700027);
    });

    it("is refused for a managed identity", async () => {
      refused(await second(await firstLeg(bound), binding, { client_id: USER }), 900144);
    });

    it("gets the application a token bound to the same certificate", async () => {
      const { status, json } = await second(await firstLeg(bound), binding, bound);
      assert.equal(status, 200);
      assert.equal(json["token_type"], "mtls_pop");
      const [, payload] = `${json["access_token"]}`.split(".");
      const claims = JSON.parse(Buffer.from(payload!, "base64url").toString());
      assert.equal(claims.appid, APPLICATION);
      assert.deepEqual(claims.cnf, { "x5t#S256": binding.thumbprint });
    });
  });

  describe("of type jwt-bearer", () => {
    const send = (assertion: string, client?: ClientPem, more = {}) =>
      postToken(
        emulator,
        TENANT,
        { ...FORM, client_assertion: assertion, client_assertion_type: JWT_BEARER, ...more },
        client === undefined ? {} : { client },
      );

    async function certificateOf(clientId: string) {
      const spki = key.publicKey.export({ format: "der", type: "spki" }).toString("base64");
      return clientPem((await emulator.issue({ spki, clientId })).certificate, key);
    }

    async function selfSigned(
      certificate: Awaited<ReturnType<typeof certificateOf>>,
      changes: {
        audience?: string;
        issuer?: string;
        key?: typeof key;
        life?: number;
        thumbprint?: string;
      } = {},
    ): Promise<string> {
      const now = Math.floor(await emulator.now() / 1000);
      return await new SignJWT({ jti: randomUUID() })
        .setProtectedHeader({
          alg: "PS256",
          x5c: [certificate.certificate.raw.toString("base64")],
          ...(changes.thumbprint === undefined ? {} : { "x5t#S256": changes.thumbprint }),
        })
        .setIssuer(changes.issuer ?? APPLICATION)
        .setSubject(APPLICATION)
        .setAudience(changes.audience ?? `${emulator.mtls}/${TENANT}/oauth2/v2.0/token`)
        .setNotBefore(now)
        .setExpirationTime(now + (changes.life ?? 600))
        .sign((changes.key ?? key).privateKey);
    }

    it("is refused when it is bound, since nothing here proves the binding", async () => {
      refused(await send(await firstLeg(bound)), 500181);
    });

    it("is taken when it is an unbound token of the exchange", async () => {
      assert.equal((await send(await firstLeg({}))).status, 200);
    });

    it("is refused when self-signed for another audience, by another issuer, or expired", async () => {
      const certificate = await certificateOf(APPLICATION);
      refused(await send(await selfSigned(certificate, { audience: "https://x.example" })), 700027);
      refused(await send(await selfSigned(certificate, { issuer: USER })), 700027);
      refused(await send(await selfSigned(certificate, { life: -600 })), 700027);
    });

    it("is refused when signed with a key that isn't its certificate's", async () => {
      const certificate = await certificateOf(APPLICATION);
      refused(await send(await selfSigned(certificate, { key: rsaKey() })), 700027);
    });

    it("is refused when it names another certificate than it carries", async () => {
      const certificate = await certificateOf(APPLICATION);
      const { thumbprint } = await certificateOf(APPLICATION);
      refused(await send(await selfSigned(certificate, { thumbprint })), 700027);
      const { thumbprint: own } = certificate;
      assert.equal((await send(await selfSigned(certificate, { thumbprint: own }))).status, 200);
    });

    it("is refused when it is self-signed and used a second time", async () => {
      const assertion = await selfSigned(await certificateOf(APPLICATION));
      assert.equal((await send(assertion)).status, 200);
      refused(await send(assertion), 700027);
      await emulator.reset();
      assert.equal((await send(assertion)).status, 200);
    });

    it("is taken for the host that the emulator stands for, which sees no certificate", async () => {
      const certificate = await certificateOf(APPLICATION);
      const host = "login.microsoftonline.com";
      const audience = `https://${host}/${TENANT}/oauth2/v2.0/token`;
      const post = async (form: Record<string, string>, headers: Record<string, string>) =>
        await postToken(emulator, TENANT, form, { client: certificate, headers });
      const form = async () => ({
        ...FORM,
        client_assertion: await selfSigned(certificate, { audience }),
        client_assertion_type: JWT_BEARER,
      });
      refused(await post(await form(), {}), 700027);
      const headers = { "x-emulated-host": host };
      assert.equal((await post(await form(), headers)).status, 200);
      refused(await post({ ...FORM, ...bound }, headers), 392200);
      const mtls = { "x-emulated-host": "westus.mtlsauth.microsoft.com" };
      assert.equal((await post({ ...FORM, ...bound }, mtls)).status, 200);
    });

    it("is refused with the certificate of another client", async () => {
      refused(await send(await selfSigned(await certificateOf(USER))), 700030);
    });

    it("is refused over the connection of another certificate", async () => {
      const assertion = await selfSigned(await certificateOf(APPLICATION));
      refused(await send(assertion, await certificateOf(APPLICATION)), 500181);
    });

    it("gets a token when self-signed with x5c, with and without mTLS", async () => {
      const certificate = await certificateOf(APPLICATION);
      assert.equal((await send(await selfSigned(certificate))).status, 200);
      assert.equal((await send(await selfSigned(certificate), certificate)).status, 200);
    });

    it("gets no bound token without a certificate to bind it to", async () => {
      const assertion = await selfSigned(await certificateOf(APPLICATION));
      refused(await send(assertion, undefined, bound), 392200);
    });
  });

  it("of another type is refused", async () => {
    const form = { ...FORM, client_assertion: "x", client_assertion_type: "saml" };
    refused(await postToken(emulator, TENANT, form, { client: binding }), 900144);
  });
});
