/**
 * A key in the emulated vault: made and checked by the vault's real clients, used by ours.
 *
 * @module
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { beforeEach, describe, it } from "node:test";
import { CryptographyClient, KeyClient } from "@azure/keyvault-keys";
import { opensslTransport } from "../../../backends/openssl/mod.ts";
import {
  DEFAULT_APPLICATIONS,
  DEFAULT_TENANT_ID,
  entraHosts,
  type RespondStep,
} from "../../../emulator/mod.ts";
import type { ErrorCode, ManagedIdentity } from "../../../mod.ts";
import { httpClient, tokenCredential } from "../../../plugins/azure/mod.ts";
import { keyVaultKey, type VaultIdentity } from "../../../plugins/key_vault/mod.ts";
import { base64, utf8 } from "../../../src/encoding.ts";
import { certificateCredential, confidentialClient } from "../../../src/entra/mod.ts";
import type { SigningKey } from "../../../src/keys.ts";
import { ecdsaSignatureToDer } from "../../../src/x509/ecdsa.ts";
import { verifySignature } from "../../../src/x509/verify.ts";
import { emulatedAzure } from "../azure/support/emulated_azure.ts";

const DATA = utf8("what TLS signs");
const azure = emulatedAzure();

let identity: ManagedIdentity;
let vaultUrl: string;
let keys: KeyClient;

beforeEach(async () => {
  identity = await azure.identityOf();
  vaultUrl = azure.emulator.resource;
  keys = new KeyClient(vaultUrl, tokenCredential(identity), clientOptions());
});

function clientOptions() {
  return {
    httpClient: httpClient(identity, { fetch: azure.fetch }),
    disableChallengeResourceVerification: true,
  };
}

/** What the vault answers to the next request. */
async function next(step: Omit<RespondStep, "kind">): Promise<void> {
  await azure.emulator.script("resource", { kind: "respond", ...step });
}

const said = (code: string) => ({ error: { code, message: "as the vault says it" } });

describe("a key in Key Vault", () => {
  it("isn't looked for where the options can't be right", async () => {
    const rows = [
      { vaultUrl: "http://my-vault.vault.azure.net" },
      { name: "a/b" },
      { version: "../x" },
      { apiVersion: "7.5&x" },
      { timeout: 0 },
    ];
    for (const row of rows) {
      await assert.rejects(keyVaultKey({ vaultUrl, name: "app", identity, ...row }), {
        code: "invalid_argument",
      });
    }
    assert.equal((await azure.emulator.counts()).resource, 0);
  });

  it("that isn't there is unusable; anything else that is missing is not the key's fault", async () => {
    await assert.rejects(keyVaultKey({ vaultUrl, name: "none", identity }), {
      code: "key_unusable",
      status: 404,
    });
    await next({ status: 404, json: said("NotFound") });
    await assert.rejects(keyVaultKey({ vaultUrl, name: "none", identity }), {
      code: "key_provider_unavailable",
      retryable: false,
    });
  });

  it("signs as WebCrypto verifies it, and the vault's own client signs", async () => {
    const rsa = await keys.createRsaKey("rsa");
    const ec = await keys.createEcKey("ec", { curve: "P-256" });
    const rows = [
      [rsa, "rsa_pss_rsae_sha256", "PS256"],
      [rsa, "rsa_pkcs1_sha256", "RS256"],
      [ec, "ecdsa_secp256r1_sha256", "ES256"],
    ] as const;
    for (const [made, scheme, algorithm] of rows) {
      const key = await keyVaultKey({ vaultUrl, name: made.name, identity });
      const signature = await key.sign(scheme, DATA);
      assert.equal(await verifySignature(scheme, key.spki, DATA, signature), true, scheme);
      const theirs = new CryptographyClient(made, tokenCredential(identity), clientOptions());
      const digest = createHash("sha256").update(DATA).digest();
      const { result } = await theirs.sign(algorithm, digest);
      const bytes = new Uint8Array(result);
      const inTls = algorithm === "ES256" ? ecdsaSignatureToDer(bytes) : bytes;
      assert.equal(await verifySignature(scheme, key.spki, DATA, inTls), true, algorithm);
      if (algorithm === "RS256") assert.deepEqual(signature, bytes);
    }
  });

  it("keeps its version when the vault has a newer one", async () => {
    const first = await keys.createEcKey("app", { curve: "P-256" });
    const key = await keyVaultKey({ vaultUrl, name: "app", identity });
    await keys.createEcKey("app", { curve: "P-256" });
    assert.equal(key.id, `app/${first.properties.version}`);
    const [scheme] = key.schemes;
    assert.ok(await verifySignature(scheme!, key.spki, DATA, await key.sign(scheme!, DATA)));
    const { version } = first.properties;
    const same = await keyVaultKey({ vaultUrl, name: "app", version: version!, identity });
    assert.deepEqual(same.spki, key.spki);
    assert.notDeepEqual((await keyVaultKey({ vaultUrl, name: "app", identity })).spki, key.spki);
  });

  it("is as strong as where the vault holds it", async () => {
    await keys.createEcKey("soft", { curve: "P-256" });
    await keys.createEcKey("hard", { curve: "P-256", hsm: true });
    assert.equal((await keyVaultKey({ vaultUrl, name: "soft", identity })).strength, "software");
    assert.equal((await keyVaultKey({ vaultUrl, name: "hard", identity })).strength, "hardware");
  });

  it("is reached with a bound token, or with a bearer token if that is asked for", async () => {
    await keys.createEcKey("app", { curve: "P-256" });
    const plain = await azure.identityOf({ fetch: azure.fetch });
    await keyVaultKey({ vaultUrl, name: "app", identity });
    await keyVaultKey({ vaultUrl, name: "app", identity: plain, binding: "bearer" });
    const [bound, bearer] = (await azure.emulator.requests("resource")).slice(-2);
    assert.deepEqual([bound!.authorizationScheme, bearer!.authorizationScheme], [
      "mtls_pop",
      "Bearer",
    ]);
  });
});

describe("trouble with Key Vault", () => {
  let key: SigningKey;
  beforeEach(async () => {
    await keys.createEcKey("app", { curve: "P-256" });
    key = await keyVaultKey({ vaultUrl, name: "app", identity });
  });
  const sign = () => key.sign("ecdsa_secp256r1_sha256", DATA);

  const rows: [what: string, step: object, code: ErrorCode, retryable: boolean, advice: RegExp][] =
    [
      ["throttling", { status: 429 }, "key_provider_unavailable", true, /throttling/],
      ["an outage", { status: 503 }, "key_provider_unavailable", true, /in trouble/],
      [
        "no permission",
        { status: 403 },
        "key_provider_unavailable",
        false,
        /Key Vault Crypto User/,
      ],
      [
        "a refused token",
        { status: 401 },
        "key_provider_unavailable",
        false,
        /Key Vault Crypto User/,
      ],
      ["a refused request", { status: 400 }, "key_provider_unavailable", false, /may sign/],
      [
        "a removed key",
        { status: 404, json: said("KeyNotFound") },
        "key_unusable",
        false,
        /no key 'app'/,
      ],
      ["another vault", { status: 404 }, "key_provider_unavailable", false, /address/],
      ["a redirect", { status: 307 }, "key_provider_unavailable", false, /redirect/],
      ["no JSON", { status: 200, body: "<html>" }, "key_provider_unavailable", false, /a vault\?/],
      [
        "a signature of another size",
        { status: 200, json: { value: "AAAA" } },
        "key_provider_unavailable",
        true,
        /no signature/,
      ],
    ];
  for (const [what, step, code, retryable, message] of rows) {
    it(`is ${code} for ${what}`, async () => {
      await next(step);
      await assert.rejects(sign(), { code, retryable, message });
      await sign();
    });
  }

  it("says when to come back, if the vault does", async () => {
    await next({ status: 429, headers: { "retry-after": "7" } });
    await assert.rejects(sign(), { retryAfter: 7000 });
  });

  it("on the way there is no verdict on the key, and says what it was", async () => {
    await azure.emulator.fault("resource", { kind: "close", at: "accept" });
    await azure.emulator.disconnect("resource");
    await assert.rejects(sign(), { code: "key_provider_unavailable", retryable: true });
  });

  it("ends with the caller's reason, or when the time is up", async () => {
    const reason = new Error("enough");
    await assert.rejects(
      key.sign("ecdsa_secp256r1_sha256", DATA, { signal: AbortSignal.abort(reason) }),
      (error) => error === reason,
    );
    const controller = new AbortController();
    const hanging: VaultIdentity = {
      fetch: (_url, { signal }) =>
        new Promise((_resolve, reject) => {
          signal!.addEventListener("abort", () => reject(signal!.reason));
          controller.abort(reason);
        }),
    };
    await assert.rejects(
      keyVaultKey({ vaultUrl, name: "app", identity: hanging }, { signal: controller.signal }),
      (error) => error === reason,
    );
    await assert.rejects(keyVaultKey({ vaultUrl, name: "app", identity: hanging, timeout: 1 }), {
      code: "key_provider_unavailable",
      retryable: true,
    });
  });

  it("refuses a scheme that isn't the key's before any network", async () => {
    const { resource } = await azure.emulator.counts();
    await assert.rejects(key.sign("rsa_pss_rsae_sha256", DATA), { code: "unsupported_scheme" });
    assert.equal((await azure.emulator.counts()).resource, resource);
  });
});

describe("TLS with a key in Key Vault", () => {
  for (const kind of ["RSA", "EC"] as const) {
    it(`gets a confidential client with an ${kind} key its bound token`, async () => {
      if (kind === "RSA") await keys.createRsaKey("app");
      else await keys.createEcKey("app", { curve: "P-256" });
      const { clientId } = DEFAULT_APPLICATIONS[0]!;
      const key = await keyVaultKey({ vaultUrl, name: "app", identity });
      const { pem } = await azure.emulator.issue({ spki: base64(key.spki), clientId });
      const credential = await certificateCredential(pem, key);
      const transport = opensslTransport({ ca: azure.emulator.ca });
      const client = confidentialClient({
        ...entraHosts(azure.emulator, [transport]),
        clientId,
        authority: `https://login.microsoftonline.com/${DEFAULT_TENANT_ID}`,
        credential,
      });
      try {
        const response = await client.fetch(`${vaultUrl}/orders`, {
          resource: "https://vault.azure.net",
        });
        assert.equal((await response.json()).thumbprint, credential.thumbprint);
      } finally {
        await client.close();
        await transport.close();
      }
    });
  }
});
