/**
 * What a confidential client sends where, mode by mode (protocol.md section 8.1).
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeJwt, decodeProtectedHeader, importX509, jwtVerify } from "jose";
import { base64 } from "../../src/encoding.ts";
import { encodePem } from "../../src/x509/pem.ts";
import { EPOCH } from "../support/clock.ts";
import { DAY } from "../support/fake_azure.ts";
import { settling } from "../support/waiting.ts";
import {
  assertionBoundTo,
  AUTHORITY,
  CLIENT_ID,
  fakeEntra,
  FORM,
  JWT_BEARER,
  JWT_POP,
  newCredential,
  SCOPE,
  status,
  TENANT,
} from "./support/fake_entra.ts";

describe("a confidential client's request", () => {
  it("A: for a bound token is proved by its certificate alone", async () => {
    const entra = fakeEntra();
    const credential = await newCredential();
    const client = await entra.client({ credential });
    const correlationId = crypto.randomUUID();
    const token = await client.getToken({ scope: SCOPE, correlationId });
    const [sent] = entra.sent;
    assert.equal(sent!.url, `https://mtlsauth.microsoft.com/${TENANT}/oauth2/v2.0/token`);
    assert.equal(sent!.method, "POST");
    assert.deepEqual(sent!.form, { ...FORM, token_type: "mtls_pop" });
    assert.equal(sent!.thumbprint, credential.thumbprint);
    assert.deepEqual(sent!.options, { connection: "fresh", maxVersion: "TLSv1.2" });
    assert.equal(sent!.headers.get("client-request-id"), correlationId);
    assert.equal(sent!.headers.get("return-client-request-id"), "true");
    assert.equal(token.tokenType, "mtls_pop");
    assert.equal(token.binding.credential, credential);
    assert.equal(token.correlationId, correlationId);
    assert.equal(token.fromCache, false);
    assert.equal(token.expiresOn, EPOCH + DAY);
    assert.equal(token.refreshOn, EPOCH + DAY / 2);
    assert.equal(entra.counts(), "1+0+0+0");
  });

  it("B: carries a bound assertion over the certificate it is bound to", async () => {
    const entra = fakeEntra();
    const own = await newCredential();
    const assertion = assertionBoundTo(own.thumbprint);
    const client = await entra.client({
      credential: { assertion: () => ({ assertion, credential: own }) },
    });
    const { tokenType, binding } = await client.getToken({ scope: SCOPE });
    const [sent] = entra.sent;
    assert.equal(sent!.url, `https://mtlsauth.microsoft.com/${TENANT}/oauth2/v2.0/token`);
    assert.deepEqual(sent!.form, {
      ...FORM,
      client_assertion: assertion,
      client_assertion_type: JWT_POP,
      token_type: "mtls_pop",
    });
    assert.equal(sent!.thumbprint, own.thumbprint);
    assert.deepEqual([tokenType, binding.credential], ["mtls_pop", own]);
  });

  it("C: gets a bearer token with a bound assertion over its certificate", async () => {
    const entra = fakeEntra();
    const own = await newCredential();
    const assertion = assertionBoundTo(own.thumbprint);
    const client = await entra.client({
      region: "westus",
      credential: { assertion: async () => await Promise.resolve({ assertion, credential: own }) },
    });
    const token = await client.getToken({ scope: SCOPE, binding: "bearer" });
    const [sent] = entra.sent;
    assert.equal(sent!.url, `https://westus.mtlsauth.microsoft.com/${TENANT}/oauth2/v2.0/token`);
    assert.deepEqual(sent!.form, {
      ...FORM,
      client_assertion: assertion,
      client_assertion_type: JWT_POP,
    });
    assert.equal(sent!.thumbprint, own.thumbprint);
    assert.deepEqual([token.tokenType, token.binding], ["Bearer", undefined]);
  });

  it("D: carries an unbound assertion to the login host", async () => {
    const entra = fakeEntra();
    const assertion = assertionBoundTo(undefined);
    const client = await entra.client({ credential: { assertion: () => ({ assertion }) } });
    const { tokenType } = await client.getToken({ scope: SCOPE, binding: "bearer" });
    const [sent] = entra.sent;
    assert.equal(sent!.endpoint, "login");
    assert.equal(sent!.url, `https://login.microsoftonline.com/${TENANT}/oauth2/v2.0/token`);
    assert.deepEqual(sent!.form, {
      ...FORM,
      client_assertion: assertion,
      client_assertion_type: JWT_BEARER,
    });
    assert.equal(tokenType, "Bearer");
  });

  for (const [name, sends] of [["E", true], ["x5c", false]] as const) {
    it(`${name}: carries an assertion that its certificate signed`, async () => {
      const entra = fakeEntra();
      const credential = await newCredential({ algorithm: "RSA-2048" });
      const client = await entra.client({ credential, sendCertificateOverMtls: sends });
      const token = await client.getToken({ scope: SCOPE, binding: "bearer" });
      const [sent] = entra.sent;
      const host = sends ? "mtlsauth.microsoft.com" : "login.microsoftonline.com";
      const url = `https://${host}/${TENANT}/oauth2/v2.0/token`;
      assert.equal(sent!.url, url);
      assert.equal(sent!.thumbprint, sends ? credential.thumbprint : undefined);
      const { client_assertion: assertion = "", ...rest } = sent!.form;
      assert.deepEqual(rest, { ...FORM, client_assertion_type: JWT_BEARER });
      const der = credential.chain[0]!;
      assert.deepEqual(decodeProtectedHeader(assertion), {
        alg: "PS256",
        typ: "JWT",
        "x5t#S256": credential.thumbprint,
        x5c: [base64(der)],
      });
      const key = await importX509(encodePem("CERTIFICATE", der), "PS256");
      const { payload } = await jwtVerify(assertion, key, {
        audience: url,
        issuer: CLIENT_ID,
        subject: CLIENT_ID,
        currentDate: new Date(EPOCH),
      });
      assert.equal(payload.nbf, EPOCH / 1000);
      assert.equal(payload.exp, EPOCH / 1000 + 600);
      assert.match(payload.jti!, /^[0-9a-f-]{36}$/);
      assert.deepEqual([token.tokenType, token.binding], ["Bearer", undefined]);
    });
  }

  it("signs another assertion for each attempt, and asks for its credential once", async () => {
    const entra = fakeEntra();
    const own = await newCredential({ algorithm: "RSA-2048" });
    let calls = 0;
    const client = await entra.client({ credential: () => (calls++, own) });
    entra.script("login", status(503));
    await settling(entra, client.getToken({ scope: SCOPE, binding: "bearer" }));
    const ids = entra.sent.map(({ form }) => decodeJwt(form["client_assertion"]!).jti);
    assert.equal(new Set(ids).size, 2);
    assert.equal(calls, 1);
  });

  it("prefers the certificate alone to an assertion for bound tokens: A wins over E", async () => {
    const entra = fakeEntra();
    const client = await entra.client({ sendCertificateOverMtls: true });
    const { tokenType } = await client.getToken({ scope: SCOPE });
    assert.equal(tokenType, "mtls_pop");
    assert.deepEqual(entra.sent[0]!.form, { ...FORM, token_type: "mtls_pop" });
  });

  it("goes to the endpoint of its cloud, region and tenant, and asks nobody where that is", async () => {
    const rows: [authority: string, region: string | undefined, url: string][] = [
      [`https://login.microsoftonline.us/${TENANT}`, undefined, "mtlsauth.microsoftonline.us"],
      [
        `https://login.partner.microsoftonline.cn/${TENANT}`,
        "chinanorth3",
        "chinanorth3.mtlsauth.partner.microsoftonline.cn",
      ],
      [`https://login.mylocalaad.com/${TENANT}`, "westus", "westus.mtlsauth.mylocalaad.com"],
      [AUTHORITY, "not a region", "mtlsauth.microsoft.com"],
    ];
    for (const [authority, region, host] of rows) {
      const entra = fakeEntra();
      const client = await entra.client({ authority, ...(region === undefined ? {} : { region }) });
      await client.getToken({ scope: SCOPE });
      assert.deepEqual(entra.sent.map(({ url }) => url), [
        `https://${host}/${TENANT}/oauth2/v2.0/token`,
      ]);
    }
  });

  it("goes to a dSTS as it is, /common included", async () => {
    const entra = fakeEntra();
    const client = await entra.client({ authority: "https://x.dsts.example/dstsv2/common" });
    await client.getToken({ scope: SCOPE });
    assert.equal(entra.sent[0]!.url, "https://x.dsts.example/dstsv2/common/oauth2/v2.0/token");
  });

  it("goes to the tenant that is named with it, /consumers too", async () => {
    const entra = fakeEntra();
    const client = await entra.client({ authority: "https://login.microsoftonline.com/common" });
    for (const tenantId of ["contoso.com", "consumers"]) {
      await client.getToken({ scope: SCOPE, tenantId });
      const url = `https://mtlsauth.microsoft.com/${tenantId}/oauth2/v2.0/token`;
      assert.equal(entra.sent.at(-1)!.url, url);
    }
  });

  it("merges capabilities and claims", async () => {
    const entra = fakeEntra();
    const client = await entra.client({ clientCapabilities: ["cp1"] });
    await client.getToken({
      scope: SCOPE,
      claims: '{"access_token":{"nbf":{"value":"1"}}}',
      clientClaims: '{"id_token":{"x":null}}',
    });
    assert.deepEqual(JSON.parse(entra.sent[0]!.form["claims"]!), {
      access_token: { xms_cc: { values: ["cp1"] }, nbf: { value: "1" } },
      id_token: { x: null },
    });
  });

  it("names the path of a federated identity, to the assertion function too", async () => {
    const entra = fakeEntra();
    const own = await newCredential();
    const paths: unknown[] = [];
    const client = await entra.client({
      credential: {
        assertion: ({ fmiPath }) => {
          paths.push(fmiPath);
          return { assertion: "a", credential: own };
        },
      },
    });
    await client.getToken({ scope: SCOPE, fmiPath: "SomeFmiPath/Path" });
    assert.equal(entra.sent[0]!.form["fmi_path"], "SomeFmiPath/Path");
    assert.deepEqual(paths, ["SomeFmiPath/Path"]);
  });

  it("tells an assertion function what the assertion is for", async () => {
    const entra = fakeEntra();
    const own = await newCredential();
    const asked: Record<string, unknown>[] = [];
    const client = await entra.client({
      region: "westus",
      clientCapabilities: ["cp1"],
      credential: {
        assertion: ({ signal, ...request }) => {
          assert.equal(signal.aborted, false);
          asked.push(request);
          return { assertion: "a", credential: own };
        },
      },
    });
    const correlationId = crypto.randomUUID();
    await client.getToken({ scope: SCOPE, correlationId });
    assert.deepEqual(asked, [{
      clientId: CLIENT_ID,
      tenantId: TENANT,
      tokenEndpoint: `https://westus.mtlsauth.microsoft.com/${TENANT}/oauth2/v2.0/token`,
      claims: '{"access_token":{"xms_cc":{"values":["cp1"]}}}',
      clientCapabilities: ["cp1"],
      correlationId,
    }]);
    await client.getToken({ scope: SCOPE, binding: "bearer" });
    const login = `https://westus.login.microsoft.com/${TENANT}/oauth2/v2.0/token`;
    assert.equal(asked[1]!["tokenEndpoint"], login);
  });
});
