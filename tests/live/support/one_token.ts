/**
 * A process that gets one bound token and writes its thumbprint, for tests of many processes.
 *
 * Reads `{"directory","metadata","ca"}` from standard input.
 *
 * @module
 */

import process from "node:process";
import { detect } from "../../../backends/detect.ts";
import { managedIdentity } from "../../../mod.ts";

let text = "";
for await (const chunk of process.stdin) text += chunk;
const { directory, metadata, ca } = JSON.parse(text);
const environment = { AZURE_POD_IDENTITY_AUTHORITY_HOST: metadata };
const identity = managedIdentity(await detect({ directory, ca, environment }));
const { binding } = await identity.getToken({ resource: "https://vault.azure.net" });
console.log(binding.credential.thumbprint);
