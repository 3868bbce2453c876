/**
 * A process that gets one token, of whichever kind the host has, and writes where it came from, for
 * tests of what a process must be allowed to do.
 *
 * Its only argument is `{"ca"?,"cli"?:{"program"?}}` as JSON: with `cli`, the Azure CLI gives the token.
 *
 * @module
 */

import process from "node:process";
import { azureCli } from "../../../backends/azure_cli/mod.ts";
import { detect } from "../../../backends/detect.ts";
import { managedIdentity } from "../../../mod.ts";

const { ca, cli } = JSON.parse(process.argv[2]!);
const host = await detect({ ca, ...(cli === undefined ? {} : { sources: azureCli(cli) }) });
const identity = managedIdentity({ ...host, keyAlgorithm: "P-256" });
const { source, tokenType } = await identity.getToken({
  resource: "https://vault.azure.net",
  binding: "preferred",
});
console.log(`${source} ${tokenType}`);
await identity.close();
await Promise.all(host.transports.map((transport) => transport.close()));
