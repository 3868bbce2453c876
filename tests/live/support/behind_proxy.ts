/**
 * A process that asks the emulator for tokens and a resource, and writes how that went, for tests of
 * what proxies of its environment see.
 *
 * Its only argument is JSON: `{"ca","resource"?,"binding":"mtls_pop"|"bearer","plainFetch"?}`. With
 * `plainFetch`, the runtime's own fetch is given in place of the host's; with `resource`, a request is
 * made there. Where the source is, it has from its environment.
 *
 * @module
 */

import process from "node:process";
import { detect } from "../../../backends/detect.ts";
import { isKeyboundError, managedIdentity } from "../../../mod.ts";

const { ca, resource, binding, plainFetch } = JSON.parse(process.argv[2]!);
const host = await detect({ ca, windows: false });
const identity = managedIdentity({
  ...host,
  keyAlgorithm: "P-256",
  ...(plainFetch ? { fetch } : {}),
});
const vault = "https://vault.azure.net";
try {
  const { source, tokenType } = await identity.getToken({ resource: vault, binding });
  const status = resource && (await identity.fetch(resource, { resource: vault })).status;
  console.log([source, tokenType, status].filter((each) => each !== undefined).join(" "));
} catch (error) {
  console.log(isKeyboundError(error) ? error.code : error);
}
await identity.close();
await host.close();
