/**
 * A client's certificate out of the emulated vault, put there by the vault's real client.
 *
 * @module
 */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, it } from "node:test";
import type { SecretClient } from "@azure/keyvault-secrets";
import { detect } from "../../../backends/detect.ts";
import { webcryptoKeys } from "../../../backends/webcrypto/mod.ts";
import { DEFAULT_APPLICATIONS, DEFAULT_TENANT_ID, entraHosts } from "../../../emulator/mod.ts";
import { isPemExportable, type ManagedIdentity } from "../../../mod.ts";
import { keyVaultCertificate } from "../../../plugins/key_vault/mod.ts";
import { base64 } from "../../../src/encoding.ts";
import { confidentialClient } from "../../../src/entra/mod.ts";
import { decodePem } from "../../../src/x509/pem.ts";
import { manualClock } from "../../support/clock.ts";
import { emulatedAzure } from "../azure/support/emulated_azure.ts";

const HOUR = 3_600_000;
const PEM = "application/x-pem-file";
const { clientId } = DEFAULT_APPLICATIONS[0]!;
const azure = emulatedAzure();

let identity: ManagedIdentity;
let vaultUrl: string;
let secrets: SecretClient;

beforeEach(async () => {
  identity = await azure.identityOf();
  vaultUrl = azure.emulator.resource;
  secrets = azure.secrets(identity);
});

/** A new key and its certificate, as Key Vault writes PEM. */
async function newPem(lifetime?: number): Promise<string> {
  const key = await webcryptoKeys().create("app", { algorithm: "P-256" });
  assert.ok(isPemExportable(key));
  const spki = base64(key.spki);
  const { pem } = await azure.emulator.issue({
    spki,
    clientId,
    ...(lifetime === undefined ? {} : { lifetime }),
  });
  return `${await key.exportPem()}${pem}`;
}

/** The same as PKCS#12 without a password, base64, as Key Vault gives it. */
function pfxOf(pem: string): string {
  const directory = mkdtempSync(join(tmpdir(), "keybound-pfx-"));
  try {
    const [from, to] = [join(directory, "in.pem"), join(directory, "out.pfx")];
    writeFileSync(from, pem, { mode: 0o600 });
    execFileSync("openssl", ["pkcs12", "-export", "-in", from, "-out", to, "-passout", "pass:"]);
    return readFileSync(to).toString("base64");
  } finally {
    rmSync(directory, { recursive: true });
  }
}

async function reads(): Promise<number> {
  const requests = await azure.emulator.requests("resource");
  return requests.filter(({ method }) => method === "GET").length;
}

describe("a certificate in Key Vault", () => {
  it("is refused where the options can't be right", () => {
    const rows = [{ vaultUrl: "my-vault" }, { name: "" }, { refreshInterval: 0 }];
    for (const row of rows) {
      assert.throws(() => keyVaultCertificate({ vaultUrl, name: "app", identity, ...row }), {
        code: "invalid_argument",
      });
    }
  });

  it("that isn't there, or isn't allowed, is told with what to do", async () => {
    const credential = keyVaultCertificate({ vaultUrl, name: "app", identity });
    await assert.rejects(credential({}), { code: "not_found", message: /no secret 'app'/ });
    await azure.emulator.script("resource", { kind: "respond", status: 403 });
    await assert.rejects(credential({}), {
      code: "key_provider_unavailable",
      retryable: false,
      message: /Key Vault Secrets User/,
    });
  });

  it("is no other secret, and what that holds isn't repeated", async () => {
    const values: [string, string | undefined][] = [
      ["hunter2", undefined],
      ["hunter2", "text/plain"],
      ["hunter2!", "application/x-pkcs12"],
      ["hunter2", PEM],
    ];
    for (const [value, contentType] of values) {
      await secrets.setSecret("app", value, contentType === undefined ? {} : { contentType });
      const credential = keyVaultCertificate({ vaultUrl, name: "app", identity });
      await assert.rejects(credential({}), (error: Error & { code?: string }) => {
        assert.match(
          error.code!,
          /^(invalid_credential_material|cert_without_private_key|invalid_pem)$/,
        );
        assert.ok(!`${error.stack} ${(error.cause as Error)?.stack}`.includes("hunter2"));
        return true;
      });
    }
  });

  for (const form of ["PEM", "PKCS#12"] as const) {
    it(`as ${form} gets a confidential client its bound token`, async () => {
      const pem = await newPem();
      const [value, contentType] = form === "PEM"
        ? [pem, PEM]
        : [pfxOf(pem), "application/x-pkcs12"];
      await secrets.setSecret("app", value, { contentType });
      const { transports } = await detect({ ca: azure.emulator.ca });
      const client = confidentialClient({
        ...entraHosts(azure.emulator, transports),
        clientId,
        authority: `https://login.microsoftonline.com/${DEFAULT_TENANT_ID}`,
        credential: keyVaultCertificate({ vaultUrl, name: "app", identity }),
      });
      const token = await client.getToken({ resource: "https://vault.azure.net" });
      const [issued] = decodePem(pem, "CERTIFICATE");
      assert.deepEqual(token.binding.credential.chain, [issued]);
      await client.close();
      for (const transport of transports) await transport.close();
    });
  }

  it("is read once an hour, and once by many at a time", async () => {
    await secrets.setSecret("app", await newPem(), { contentType: PEM });
    const clock = manualClock(Date.now());
    const credential = keyVaultCertificate({ vaultUrl, name: "app", identity, clock });
    const [first, second] = await Promise.all([credential({}), credential({})]);
    assert.equal(first, second);
    await clock.advance(HOUR - 1);
    await credential({});
    assert.equal(await reads(), 1);
    await clock.advance(1);
    assert.equal(await credential({}), first, "the same certificate is the same credential");
    assert.equal(await reads(), 2);
    await secrets.setSecret("app", await newPem(), { contentType: PEM });
    await clock.advance(HOUR);
    assert.notEqual((await credential({})).thumbprint, first.thumbprint);
  });

  it("is read anew when a server refuses it", async () => {
    await secrets.setSecret("app", await newPem(), { contentType: PEM });
    const credential = keyVaultCertificate({ vaultUrl, name: "app", identity });
    const refused = await credential({});
    await secrets.setSecret("app", await newPem(), { contentType: PEM });
    assert.equal(await credential({}), refused);
    assert.notEqual((await credential({ refused })).thumbprint, refused.thumbprint);
    assert.equal(await reads(), 2);
  });

  it("is used while the vault is out of reach, but not when refused or expired", async () => {
    await secrets.setSecret("app", await newPem(3 * HOUR), { contentType: PEM });
    const clock = manualClock(Date.now());
    const credential = keyVaultCertificate({ vaultUrl, name: "app", identity, clock });
    const first = await credential({});
    const outage = { kind: "respond", status: 503, times: "forever" } as const;
    await azure.emulator.script("resource", outage);
    await clock.advance(2 * HOUR);
    assert.equal(await credential({}), first);
    const trouble = { code: "key_provider_unavailable", retryable: true };
    await assert.rejects(credential({ refused: first }), trouble);
    await clock.advance(2 * HOUR);
    await assert.rejects(credential({}), trouble);
  });
});
