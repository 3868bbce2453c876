/**
 * MSAL for Node at the emulator's token endpoints, its key in software and in a token.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type AuthenticationResult,
  type AuthError,
  ConfidentialClientApplication,
  type INetworkModule,
} from "@azure/msal-node";
import { decodeJwt, decodeProtectedHeader } from "jose";
import { detect } from "../../../backends/detect.ts";
import { pkcs11Keys } from "../../../backends/pkcs11/mod.ts";
import { DEFAULT_TENANT_ID, entraHosts, oauthFailure } from "../../../emulator/mod.ts";
import { clientAssertion, mtlsNetwork } from "../../../plugins/msal_node/mod.ts";
import { mtlsEndpointOf } from "../../../plugins/msal_node/endpoint.ts";
import type { ClientCredential } from "../../../src/credential.ts";
import { base64, fromBase64 } from "../../../src/encoding.ts";
import { certificateCredential } from "../../../src/entra/pem_credential.ts";
import type { SigningKey } from "../../../src/keys.ts";
import type { MtlsTransport } from "../../../src/transports.ts";
import { assertExample } from "../../edge/support/examples.ts";
import { AUTHORITY, emulatedEntra, FIRST, SECOND } from "../../entra/support/emulated.ts";
import { softHsm } from "../../support/softhsm.ts";

const TOKEN_ENDPOINT = `${AUTHORITY}/oauth2/v2.0/token`;
const SCOPE = "https://vault.azure.net/.default";
const entra = emulatedEntra();
const token = await softHsm();

/** The emulator as Entra, for as long as `use` takes. */
async function atEmulator<T>(
  use: (hosts: { transports: readonly MtlsTransport[]; fetch: typeof fetch }) => Promise<T>,
): Promise<T> {
  const { emulator } = entra;
  const host = await detect({ ca: emulator.ca });
  try {
    return await use(entraHosts(emulator, host.transports));
  } finally {
    await host.close();
  }
}

async function bearerToken(
  credential: ClientCredential,
  more: { transports?: readonly MtlsTransport[] } = {},
): Promise<AuthenticationResult> {
  return await atEmulator(async (hosts) => {
    const { transports } = { ...hosts, ...more };
    const authority = AUTHORITY;
    const clientId = FIRST;
    // Example msal-node
    const app = new ConfidentialClientApplication({
      auth: {
        clientId,
        authority,
        clientAssertion: clientAssertion({ credential, overMtls: true }),
      },
      system: { networkClient: mtlsNetwork({ credential, transports }) },
    });
    const result = await app.acquireTokenByClientCredential({
      scopes: ["https://vault.azure.net/.default"],
    });
    // End of example
    return result!;
  });
}

async function credentialOver(key: SigningKey): Promise<ClientCredential> {
  const spki = base64(key.spki);
  const { certificate } = await entra.emulator.issue({ spki, clientId: FIRST });
  return await certificateCredential([fromBase64(certificate)], key);
}

describe("the endpoint for client certificates", () => {
  const rows: [string, string][] = [
    [
      "https://login.microsoftonline.com/t/oauth2/v2.0/token",
      "https://mtlsauth.microsoft.com/t/oauth2/v2.0/token",
    ],
    [
      "https://westus2.login.microsoft.com/t/oauth2/v2.0/token?dc=1",
      "https://westus2.mtlsauth.microsoft.com/t/oauth2/v2.0/token?dc=1",
    ],
    [
      "https://login.microsoftonline.us/t/oauth2/v2.0/token",
      "https://mtlsauth.microsoftonline.us/t/oauth2/v2.0/token",
    ],
    [
      "https://x.dsts.example/dstsv2/t/oauth2/v2.0/token",
      "https://x.dsts.example/dstsv2/t/oauth2/v2.0/token",
    ],
  ];
  for (const [given, expected] of rows) {
    it(`of ${given} is ${expected}`, () => assert.equal(mtlsEndpointOf(given), expected));
  }

  const wrong: [string, string][] = [
    ["http://login.microsoftonline.com/t/oauth2/v2.0/token", "invalid_argument"],
    ["https://login.microsoftonline.com/t/oauth2/v2.0/devicecode", "invalid_argument"],
    ["https://login.microsoftonline.com@evil.example/t/oauth2/v2.0/token", "invalid_argument"],
    [
      "https://login.chinacloudapi.cn/t/oauth2/v2.0/token",
      "mtls_pop_not_supported_for_environment",
    ],
    ["https://evil.example/t/oauth2/v2.0/token", "mtls_pop_not_supported_for_environment"],
  ];
  for (const [given, code] of wrong) {
    it(`of ${given} is not there`, () => assert.throws(() => mtlsEndpointOf(given), { code }));
  }
});

describe("a client assertion", () => {
  it("is not made with a key that isn't RSA, nor for an endpoint that nobody names", async () => {
    const credential = await entra.credentialOf(FIRST, "P-256");
    const assert_ = clientAssertion({ credential });
    const config = { clientId: FIRST, tokenEndpoint: TOKEN_ENDPOINT };
    await assert.rejects(assert_(config), { code: "certificate_not_rsa" });
    await assert.rejects(assert_({ clientId: FIRST }), { code: "invalid_argument" });
  });

  it("is signed by PS256, names its certificate and is made anew each time", async () => {
    const credential = await entra.credentialOf(FIRST, "RSA-2048");
    const sign = clientAssertion({ credential: () => credential });
    const config = { clientId: FIRST, tokenEndpoint: TOKEN_ENDPOINT };
    const [first, second] = [await sign(config), await sign(config)];
    const { alg, x5c, "x5t#S256": thumbprint } = decodeProtectedHeader(first);
    assert.equal(alg, "PS256");
    assert.deepEqual(x5c, credential.chain.map(base64));
    assert.equal(thumbprint, credential.thumbprint);
    assert.equal(decodeJwt(first).aud, TOKEN_ENDPOINT);
    assert.notEqual(decodeJwt(first).jti, decodeJwt(second).jti);
  });

  it("alone gets MSAL a token from the login host", async () => {
    const credential = await entra.credentialOf(FIRST, "RSA-2048");
    await atEmulator(async ({ fetch }) => {
      const app = new ConfidentialClientApplication({
        auth: {
          clientId: FIRST,
          authority: AUTHORITY,
          clientAssertion: clientAssertion({ credential }),
        },
        system: { networkClient: networkBy(fetch) },
      });
      const result = await app.acquireTokenByClientCredential({ scopes: [SCOPE] });
      assert.equal(decodeJwt(result!.accessToken)["appid"], FIRST);
      const { headers, thumbprint } = await entra.lastTokenRequest();
      assert.equal(headers["x-emulated-host"], "login.microsoftonline.com");
      assert.equal(thumbprint, null);
    });
  });
});

describe("MSAL over mutual TLS", () => {
  it("is refused with another client's certificate, in Entra's words", async () => {
    const asked = bearerToken(await entra.credentialOf(SECOND, "RSA-2048"));
    await assert.rejects(asked, (error: AuthError) => {
      assert.match(error.errorMessage, /700030/);
      return error.errorCode === "invalid_client";
    });
  });

  it("tells why there was no answer, by the code of the failure", async () => {
    const credential = await entra.credentialOf(FIRST, "RSA-2048");
    const none = { accepts: () => false, retire() {} } as unknown as MtlsTransport;
    await assert.rejects(bearerToken(credential, { transports: [none] }), (error: AuthError) => {
      assert.equal((error.cause as { code?: string }).code, "transport_not_available");
      return error.errorCode === "transport_not_available";
    });
    await entra.emulator.set({ serverCertificate: "untrusted" });
    await assert.rejects(bearerToken(credential), { errorCode: "tls_server_untrusted" });
    assert.equal((await entra.emulator.counts()).token, 0);
  });

  it("gets a token with certificate and assertion together, and keeps it", async () => {
    const credential = await entra.credentialOf(FIRST, "RSA-2048");
    const { accessToken, tokenType, fromCache } = await bearerToken(credential);
    assert.equal(tokenType, "Bearer");
    assert.equal(fromCache, false);
    assert.equal(decodeJwt(accessToken)["appid"], FIRST);
    const { headers, thumbprint, tlsVersion, path, fields } = await entra.lastTokenRequest();
    assert.equal(headers["x-emulated-host"], "mtlsauth.microsoft.com");
    assert.equal(thumbprint, credential.thumbprint);
    assert.equal(tlsVersion, "TLSv1.2");
    assert.equal(path, `/${DEFAULT_TENANT_ID}/oauth2/v2.0/token`);
    assert.match(fields["client_assertion_type"]!, /:jwt-bearer$/);
  });

  it("passes an error of the endpoint on as MSAL's own", async () => {
    await entra.emulator.script("token", oauthFailure("unauthorized_client"));
    const asked = bearerToken(await entra.credentialOf(FIRST, "RSA-2048"));
    await assert.rejects(asked, { errorCode: "unauthorized_client" });
  });

  it("asks for discovery documents without the certificate", async () => {
    const credential = await entra.credentialOf(FIRST, "RSA-2048");
    const asked: string[] = [];
    const network: INetworkModule = mtlsNetwork({
      credential,
      transports: [{ accepts: () => true } as unknown as MtlsTransport],
      fetch: (async (input: string, init: RequestInit) => {
        asked.push(`${init.redirect} ${input}`);
        return await Promise.resolve(Response.json({ issuer: "x" }));
      }) as typeof globalThis.fetch,
    });
    const url = `${AUTHORITY}/v2.0/.well-known/openid-configuration`;
    const { body, status } = await network.sendGetRequestAsync<{ issuer: string }>(url);
    assert.deepEqual([body.issuer, status], ["x", 200]);
    assert.deepEqual(asked, [`manual ${url}`]);
  });

  it("is what the documentation shows", async () => {
    await assertExample(import.meta.url, "docs/msal-node.md", "msal-node");
  });

  if (token !== undefined) {
    it("gets a token with a key that never leaves its HSM, for signature and handshake", async (t) => {
      t.after(() => token.destroy());
      const { emulator } = entra;
      const pkcs11 = {
        uri: `pkcs11:token=${token.label}`,
        module: token.library,
        pin: () => token.pin,
      };
      const keys = pkcs11Keys(pkcs11);
      const host = await detect({ pkcs11, ca: emulator.ca });
      try {
        const credential = await credentialOver(
          await keys.create("msal", { algorithm: "RSA-2048" }),
        );
        const { transports } = entraHosts(emulator, host.transports);
        assert.ok(await bearerToken(credential, { transports }));
        const { thumbprint } = await entra.lastTokenRequest();
        assert.equal(thumbprint, credential.thumbprint);
      } finally {
        await keys.close();
        await host.close();
      }
    });
  }
});

/** MSAL's own network, but for the emulator's CA. */
function networkBy(fetch: typeof globalThis.fetch): INetworkModule {
  const send = async (url: string, init: RequestInit) => {
    const response = await fetch(url, { ...init, redirect: "manual" });
    const headers = Object.fromEntries(response.headers);
    return { status: response.status, headers, body: await response.json() };
  };
  return {
    sendGetRequestAsync: (url, { headers = {} } = {}) => send(url, { headers }),
    sendPostRequestAsync: (url, { headers = {}, body = "" } = {}) =>
      send(url, { method: "POST", headers, body }),
  };
}
