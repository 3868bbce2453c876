/**
 * A process that makes one bound request and writes the response's status, for tests of what a
 * process must be allowed to do.
 *
 * Its only argument is `{"directory"?,"resource","ca"}` as JSON; where the metadata service is, it
 * has from its environment.
 *
 * @module
 */

import process from "node:process";
import { detect } from "../../../backends/detect.ts";
import { managedIdentity } from "../../../mod.ts";

const { resource, ...options } = JSON.parse(process.argv[2]!);
const host = await detect(options);
const identity = managedIdentity({ ...host, keyAlgorithm: "P-256" });
const response = await identity.fetch(resource, { resource: "https://vault.azure.net" });
await response.body?.cancel();
console.log(response.status);
await identity.close();
await Promise.all(host.transports.map((transport) => transport.close()));
