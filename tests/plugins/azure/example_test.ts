/**
 * The examples of the documentation, with Azure's own host names played by the emulator.
 *
 * @module
 */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SecretClient } from "@azure/keyvault-secrets";
import { BlobServiceClient } from "@azure/storage-blob";
import { managedIdentity } from "../../../mod.ts";
import { httpClient, tokenCredential } from "../../../plugins/azure/mod.ts";
import { assertExample } from "../../edge/support/examples.ts";
import { atAzure } from "./support/azure_hosts.ts";
import { emulatedAzure } from "./support/emulated_azure.ts";

const azure = emulatedAzure();

describe("the example of the Azure SDK", () => {
  it("runs: the vault's challenge is verified by its host", async () => {
    await azure.secrets(await azure.identityOf()).setSecret("demo", "s3cret");
    await atAzure(azure.emulator, async (host) => {
      // Example azure-sdk
      const identity = managedIdentity(host);
      const credential = tokenCredential(identity);

      const secrets = new SecretClient("https://my-vault.vault.azure.net", credential, {
        httpClient: httpClient(identity),
      });
      const { value } = await secrets.getSecret("demo");

      const blobs = new BlobServiceClient("https://my-account.blob.core.windows.net", credential, {
        httpClient: httpClient(identity),
      });
      const report = blobs.getContainerClient("reports").getBlockBlobClient("today.txt");
      await report.upload("All is well.", 12);
      // End of example
      assert.equal(value, "s3cret");
      const { readableStreamBody } = await report.download();
      const chunks: Uint8Array[] = [];
      for await (const chunk of readableStreamBody!) chunks.push(chunk as unknown as Uint8Array);
      assert.equal(Buffer.concat(chunks).toString(), "All is well.");
      await identity.close();
    });
    const requests = (await azure.emulator.requests("resource")).slice(3);
    assert.ok(requests.every((r) => r.authorizationScheme === "mtls_pop" && r.status! < 300));
    assert.equal(requests.length, 3);
  });

  it("is what the documentation shows", async () => {
    await assertExample(import.meta.url, "docs/azure-sdk.md", "azure-sdk");
  });
});
