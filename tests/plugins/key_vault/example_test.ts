/**
 * The examples of the documentation, with Azure's own host names played by the emulator.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { KeyClient } from "@azure/keyvault-keys";
import { opensslTransport } from "../../../backends/openssl/mod.ts";
import { webcryptoKeys } from "../../../backends/webcrypto/mod.ts";
import { DEFAULT_APPLICATIONS, DEFAULT_TENANT_ID, entraHosts } from "../../../emulator/mod.ts";
import { isPemExportable, managedIdentity } from "../../../mod.ts";
import { httpClient, tokenCredential } from "../../../plugins/azure/mod.ts";
import { keyVaultCertificate, keyVaultKey } from "../../../plugins/key_vault/mod.ts";
import { base64 } from "../../../src/encoding.ts";
import { certificateCredential, confidentialClient } from "../../../src/entra/mod.ts";
import { assertExample } from "../../edge/support/examples.ts";
import { atAzure } from "../azure/support/azure_hosts.ts";
import { emulatedAzure } from "../azure/support/emulated_azure.ts";

const { clientId } = DEFAULT_APPLICATIONS[0]!;
const authority = `https://login.microsoftonline.com/${DEFAULT_TENANT_ID}`;
const scope = "https://vault.azure.net/.default";
const azure = emulatedAzure();

describe("the examples of Key Vault", () => {
  it("run: a certificate and its key out of the vault", async () => {
    const key = await webcryptoKeys().create("app", { algorithm: "P-256" });
    assert.ok(isPemExportable(key));
    const { pem, thumbprint } = await azure.emulator.issue({ spki: base64(key.spki), clientId });
    await azure.secrets(await azure.identityOf()).setSecret(
      "client-certificate",
      `${await key.exportPem()}${pem}`,
      { contentType: "application/x-pem-file" },
    );
    await atAzure(azure.emulator, async (host) => {
      // Example key-vault-certificate
      const credential = keyVaultCertificate({
        vaultUrl: "https://my-vault.vault.azure.net",
        name: "client-certificate",
        identity: managedIdentity(host),
      });
      const client = confidentialClient({ ...host, clientId, authority, credential });
      const { binding } = await client.getToken({ scope });
      // End of example
      assert.equal(binding.credential.thumbprint, thumbprint);
      await client.close();
    });
  });

  it("run: a key that stays in the vault", async () => {
    const vault = new KeyClient(
      azure.emulator.resource,
      ...await (async () => {
        const identity = await azure.identityOf();
        const options = {
          httpClient: httpClient(identity, { fetch: azure.fetch }),
          disableChallengeResourceVerification: true,
        };
        return [tokenCredential(identity), options] as const;
      })(),
    );
    await vault.createRsaKey("client-key");
    const { ca } = azure.emulator;
    await atAzure(azure.emulator, async (host) => {
      const issue = async (spki: Uint8Array) =>
        (await azure.emulator.issue({ spki: base64(spki), clientId })).pem;
      const [openssl] = entraHosts(azure.emulator, [opensslTransport({ ca })]).transports;
      const transports = [openssl!];
      // Example key-vault-key
      const key = await keyVaultKey({
        vaultUrl: "https://my-vault.vault.azure.net",
        name: "client-key",
        identity: managedIdentity(host),
      });
      const certificate = await issue(key.spki);
      const credential = await certificateCredential(certificate, key);
      const client = confidentialClient({ ...host, transports, clientId, authority, credential });
      const { binding } = await client.getToken({ scope });
      // End of example
      assert.equal(binding.credential.key, key);
      await client.close();
      for (const transport of transports) await transport.close();
    });
  });

  it("are what the documentation shows", async () => {
    for (const name of ["key-vault-certificate", "key-vault-key"]) {
      await assertExample(import.meta.url, "docs/key-vault.md", name);
    }
  });
});
