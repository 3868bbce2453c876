/**
 * The core on an edge runtime: workerd, whose platform holds the key and presents the certificate.
 *
 * @module
 */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { decodeJwt } from "jose";
import { type Emulator, spawnEmulator } from "../../emulator/mod.ts";
import type { ClientCredential } from "../../mod.ts";
import { base64 } from "../../src/encoding.ts";
import { assertExample } from "./support/examples.ts";
import { AUTHORITY, CLIENT_ID, platformClient } from "./support/platform_client.ts";
import { type RunningWorker, startWorkerd } from "./support/workerd.ts";

const AUDIENCE = "https://orders.example.com";

let emulator: Emulator;
let worker: RunningWorker;
let credential: ClientCredential;

before(async () => {
  emulator = await spawnEmulator({
    applications: [{ clientId: CLIENT_ID }],
    state: { acceptEc: true },
  });
  const { ca, mtls, resource } = emulator;
  const platform = await platformClient(emulator);
  credential = platform.credential;
  const address = (origin: string) => `127.0.0.1:${new URL(origin).port}`;
  worker = await startWorkerd({
    module: "tests/edge/support/worker.ts",
    keypair: { certificate: platform.cert, privateKey: platform.key },
    ca,
    services: {
      ENTRA: {
        address: address(mtls),
        headers: { "x-emulated-host": "mtlsauth.microsoft.com" },
      },
      RESOURCE: { address: address(resource) },
    },
    values: {
      CERTIFICATE: base64(credential.chain[0]!),
      CLIENT_ID,
      AUTHORITY,
      ORIGIN: resource,
      ISSUER: platform.issuer,
      JWKS: platform.jwks,
    },
  });
});
after(async () => {
  await worker?.close();
  await emulator?.close();
});

async function token(): Promise<string> {
  const response = await fetch(`${worker.origin}/token`);
  const { accessToken, tokenType, code } = await response.json();
  assert.equal(code, undefined);
  assert.equal(tokenType, "mtls_pop");
  return accessToken;
}

function orders(accessToken: string, certificate?: ClientCredential): Promise<Response> {
  return fetch(`${worker.origin}/orders`, {
    headers: {
      Authorization: `mtls_pop ${accessToken}`,
      ...(certificate && { "Client-Cert": `:${base64(certificate.chain[0]!)}:` }),
    },
  });
}

describe("workerd", () => {
  it("runs what needs no built-in of Node", () => {
    assert.doesNotMatch(worker.bundle, /from ?"node:|import ?"node:|import\("node:|require\("/);
  });

  it("gets a token bound to the certificate of its platform", async () => {
    const { cnf, aud } = decodeJwt(await token());
    assert.deepEqual(cnf, { "x5t#S256": credential.thumbprint });
    assert.equal(aud, AUDIENCE);
    const { thumbprint } = (await emulator.requests("token")).at(-1)!;
    assert.equal(thumbprint, credential.thumbprint);
  });

  it("sends token and certificate as one pair", async () => {
    const response = await fetch(`${worker.origin}/resource`);
    assert.equal(response.status, 200);
    assert.equal((await response.json()).thumbprint, credential.thumbprint);
  });

  it("reports a refusal by its code", async () => {
    await emulator.revoke({ thumbprints: [credential.thumbprint] });
    const response = await fetch(`${worker.origin}/token`);
    assert.deepEqual(await response.json(), { code: "invalid_client" });
    await emulator.reset();
    await emulator.set({ acceptEc: true });
  });

  it("refuses, as a resource server, a token without its certificate", async () => {
    const stolen = await token();
    const { credential: thief } = await platformClient(emulator);
    for (const response of [await orders(stolen), await orders(stolen, thief)]) {
      assert.equal(response.status, 401);
      assert.match(response.headers.get("www-authenticate")!, /error="invalid_token"/);
      await response.body?.cancel();
    }
    assert.equal((await fetch(`${worker.origin}/orders`)).status, 401);
  });

  it("takes, as a resource server, a token with its certificate", async () => {
    const accessToken = await token();
    const response = await orders(accessToken, credential);
    assert.equal(response.status, 200);
    assert.deepEqual(await response.json(), { hello: decodeJwt(accessToken).sub });
  });

  it("is shown in the documentation", async () => {
    const source = new URL("support/worker.ts", import.meta.url).href;
    for (const name of ["worker-client", "worker-server"]) {
      await assertExample(source, "docs/edge.md", name);
    }
  });
});
