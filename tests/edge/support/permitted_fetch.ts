/**
 * A process that makes one bound request with the backends it is told to use and writes the response's
 * status, for tests of what such a process must be allowed to do.
 *
 * Its only argument is `{"backend","resource","metadata","ca","directory"?,"pkcs11"?:{"uri","module",
 * "pin"}}` as JSON.
 *
 * @module
 */

import process from "node:process";
import { detect } from "../../../backends/detect.ts";
import { managedIdentity } from "../../../mod.ts";

const { backend, resource, metadata, ca, directory, pkcs11 } = JSON.parse(process.argv[2]!);
const environment = { AZURE_POD_IDENTITY_AUTHORITY_HOST: metadata };
const host = await detect({
  ca,
  directory,
  environment,
  ...(pkcs11 === undefined ? {} : { pkcs11: { ...pkcs11, pin: () => pkcs11.pin } }),
});
let { transports } = host;
if (backend === "openssl") {
  const { opensslTransport } = await import("../../../backends/openssl/mod.ts");
  transports = [opensslTransport({ ca, environment })];
}
const identity = managedIdentity({ ...host, transports, keyAlgorithm: "P-256" });
const response = await identity.fetch(resource, { resource: "https://vault.azure.net" });
await response.body?.cancel();
console.log(response.status);
// Without waiting for connections and threads: nobody asks them for permission to end.
process.exit(0);
