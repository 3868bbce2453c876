/**
 * What a confidential client refuses before any network.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { confidentialClient } from "../../src/entra/confidential_client.ts";
import type { EntraCredential } from "../../src/entra/credential_types.ts";
import type { ConfidentialClientOptions, EntraTokenOptions } from "../../src/entra/options.ts";
import { EPOCH } from "../support/clock.ts";
import { DAY } from "../support/fake_azure.ts";
import {
  assertionBoundTo,
  AUTHORITY,
  CLIENT_ID,
  fakeEntra,
  newCredential,
  SCOPE,
  TENANT,
} from "./support/fake_entra.ts";

describe("a confidential client isn't made", () => {
  const wrong: [name: string, options: Record<string, unknown>, code: string][] = [
    [
      "without a credential",
      { credential: undefined },
      "Client_Credentials_Required_In_Confidential_Client_Application",
    ],
    [
      "with null for a credential",
      { credential: null },
      "Client_Credentials_Required_In_Confidential_Client_Application",
    ],
    ["with a secret", { credential: "secret" }, "mtls_certificate_not_provided"],
    [
      "with a finished assertion",
      { credential: { assertion: "eyJ" } },
      "mtls_certificate_not_provided",
    ],
    ["with client claims", { credential: { claims: {} } }, "mtls_certificate_not_provided"],
    [
      "to send a certificate that it hasn't",
      { sendCertificateOverMtls: true, credential: { assertion: () => ({ assertion: "a" }) } },
      "invalid_credential_material",
    ],
    ["over http", { authority: "http://login.microsoftonline.com/t" }, "invalid_argument"],
    ["without a tenant", { authority: "https://login.microsoftonline.com" }, "invalid_argument"],
    ["without a client id", { clientId: "" }, "invalid_argument"],
    ["with a client id that is a path", { clientId: "a/b" }, "invalid_argument"],
    ["with no time", { tokenTimeout: 0 }, "invalid_argument"],
    ["with time that is none", { remintCooldown: NaN }, "invalid_argument"],
    [
      "with a metadata service that isn't one",
      { environment: { AZURE_POD_IDENTITY_AUTHORITY_HOST: "nonsense" } },
      "invalid_managed_identity_endpoint",
    ],
  ];
  for (const [name, options, code] of wrong) {
    it(`${name}: ${code}`, async () => {
      const credential = await newCredential();
      const good = { clientId: CLIENT_ID, authority: AUTHORITY, credential, transports: [] };
      const made = { ...good, ...options } as ConfidentialClientOptions;
      assert.throws(() => confidentialClient(made), { code });
    });
  }
});

describe("before any network a token request is refused", () => {
  const asked: [name: string, options: Record<string, unknown>, code: string][] = [
    ["without a target", { scope: undefined }, "invalid_argument"],
    ["with two targets", { resource: "https://vault.azure.net" }, "invalid_argument"],
    ["with claims that aren't JSON", { claims: "{" }, "invalid_json_claims_format"],
    ["with an unknown binding", { binding: "preferred" }, "invalid_argument"],
    ["with an fmi_path of two lines", { fmiPath: "a\nb" }, "invalid_argument"],
    ["with an empty fmi_path", { fmiPath: "" }, "invalid_argument"],
    ["for a tenant with a path", { tenantId: "a/b" }, "invalid_argument"],
    ["for /common", { tenantId: "common" }, "missing_tenanted_authority"],
    [
      "for a bearer token of /organizations",
      { tenantId: "organizations", binding: "bearer" },
      "missing_tenanted_authority",
    ],
    ["with a correlation id that isn't one", { correlationId: "a b" }, "invalid_argument"],
  ];
  for (const [name, options, code] of asked) {
    it(`${name}: ${code}`, async () => {
      const entra = fakeEntra();
      const client = await entra.client();
      const wanted = { scope: SCOPE, ...options } as EntraTokenOptions;
      await assert.rejects(client.getToken(wanted), { code });
      assert.equal(entra.counts(), "0+0+0+0");
    });
  }

  const nothingFit: [name: string, credential: unknown, code: string][] = [
    ["that gives nothing", () => undefined, "mtls_certificate_not_provided"],
    ["that gives null", () => null, "mtls_certificate_not_provided"],
    ["that gives PEM", () => "-----BEGIN CERTIFICATE-----", "mtls_certificate_not_provided"],
    [
      "that gives an assertion alone",
      { assertion: () => ({ assertion: assertionBoundTo(undefined) }) },
      "mtls_certificate_not_provided",
    ],
    ["that gives no assertion", { assertion: () => undefined }, "invalid_client_assertion"],
    [
      "that gives an empty assertion",
      { assertion: () => ({ assertion: "" }) },
      "invalid_client_assertion",
    ],
    [
      "that gives an assertion with a line feed",
      { assertion: () => ({ assertion: "a\nb" }) },
      "invalid_client_assertion",
    ],
    [
      "that gives an assertion with half a certificate",
      { assertion: () => ({ assertion: "a", credential: {} }) },
      "mtls_certificate_not_provided",
    ],
  ];
  for (const [name, credential, code] of nothingFit) {
    it(`by a credential function ${name}: ${code}`, async () => {
      const entra = fakeEntra();
      const client = await entra.client({ credential: credential as EntraCredential });
      await assert.rejects(client.getToken({ scope: SCOPE }), { code });
      assert.equal(entra.counts(), "0+0+0+0");
    });
  }

  it("as the credential function fails", async () => {
    const entra = fakeEntra();
    const reason = new Error("no luck");
    for (const credential of [() => Promise.reject(reason), () => Promise.reject(reason)]) {
      const client = await entra.client({ credential });
      await assert.rejects(client.getToken({ scope: SCOPE }), reason);
    }
    const thrower = await entra.client({
      credential: () => {
        throw reason;
      },
    });
    await assert.rejects(thrower.getToken({ scope: SCOPE }), reason);
    const later = await entra.client({ credential: Promise.reject(reason) });
    await assert.rejects(later.getToken({ scope: SCOPE }), reason);
    assert.equal(entra.counts(), "0+0+0+0");
  });

  for (const host of ["login.usgovcloudapi.net", "login.chinacloudapi.cn", "graph.microsoft.com"]) {
    it(`at ${host}, and the credential function isn't even asked`, async () => {
      const entra = fakeEntra();
      let calls = 0;
      const credential = async () => (calls++, await newCredential());
      const client = await entra.client({ credential, authority: `https://${host}/${TENANT}` });
      const code = "mtls_pop_not_supported_for_environment";
      await assert.rejects(client.getToken({ scope: SCOPE }), { code });
      const sending = await entra.client({
        credential,
        authority: `https://${host}/${TENANT}`,
        sendCertificateOverMtls: true,
      });
      await assert.rejects(sending.getToken({ scope: SCOPE, binding: "bearer" }), { code });
      assert.equal(calls, 0);
      assert.equal(entra.counts(), "0+0+0+0");
    });
  }

  it("with an assertion bound to a certificate for a host that shouldn't see it", async () => {
    const entra = fakeEntra();
    const own = await newCredential();
    const client = await entra.client({
      authority: `https://sts.contoso.com/${TENANT}`,
      credential: { assertion: () => ({ assertion: "a", credential: own }) },
    });
    const code = "mtls_pop_not_supported_for_environment";
    await assert.rejects(client.getToken({ scope: SCOPE, binding: "bearer" }), { code });
    assert.equal(entra.counts(), "0+0+0+0");
  });

  it("with a certificate that is not in force", async () => {
    const entra = fakeEntra();
    for (const notBefore of [EPOCH - 60 * DAY, EPOCH + DAY]) {
      const client = await entra.client({ credential: await newCredential({ notBefore }) });
      await assert.rejects(client.getToken({ scope: SCOPE }), { code: "invalid_certificate" });
    }
    assert.equal(entra.counts(), "0+0+0+0");
  });

  it("with a key that no transport takes", async () => {
    const entra = fakeEntra();
    const client = await entra.client({
      transports: [{ ...entra.transport, accepts: () => false }],
    });
    await assert.rejects(client.getToken({ scope: SCOPE }), { code: "transport_not_available" });
    assert.equal(entra.counts(), "0+0+0+0");
  });

  it("with an elliptic key where an assertion must be signed", async () => {
    const entra = fakeEntra();
    for (const sendCertificateOverMtls of [true, false]) {
      const client = await entra.client({ sendCertificateOverMtls });
      const asked = client.getToken({ scope: SCOPE, binding: "bearer" });
      await assert.rejects(asked, { code: "certificate_not_rsa" });
    }
    assert.equal(entra.counts(), "0+0+0+0");
  });
});
