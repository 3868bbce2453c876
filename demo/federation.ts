/**
 * Two legs in their four combinations on whatever runtime runs this file, against a running
 * emulator: a managed identity or an application vouches for another application, whose token is
 * bound to the same certificate, or a bearer token.
 *
 * Reads `{"admin":{"url","secret"}}` of the emulator's admin endpoint from standard input and writes
 * a line `{"result":{...}}` for each combination.
 *
 * @module
 */

import process from "node:process";
import { detect, type DetectedHost } from "../backends/detect.ts";
import { webcryptoKeys } from "../backends/webcrypto/mod.ts";
import {
  connectEmulator,
  DEFAULT_APPLICATIONS,
  DEFAULT_TENANT_ID,
  type Emulator,
  entraHosts,
} from "../emulator/mod.ts";
import { managedIdentity } from "../mod.ts";
import { base64, fromBase64 } from "../src/encoding.ts";
import {
  certificateCredential,
  confidentialClient,
  federate,
  type FirstLeg,
} from "../src/entra/mod.ts";

const RESOURCE = "https://vault.azure.net";
const CLIENT_ID = DEFAULT_APPLICATIONS[0]!.clientId;
const AUTHORITY = `https://login.microsoftonline.com/${DEFAULT_TENANT_ID}`;

/** What was seen of one combination; a line of `npm run demo -- --flow federation --json`. */
interface Result {
  runtime: string;
  leg1: "managed_identity" | "confidential_client";
  leg2: "confidential_client";
  leg2TokenType: "mtls_pop" | "Bearer";
  /** Whether both legs' requests went over the same certificate. */
  sameBinding: boolean;
  resourceStatus: number;
}

const { admin } = JSON.parse(await readStandardInput());
const emulator = await connectEmulator(admin);
const detected = await detect({
  ca: emulator.ca,
  environment: { AZURE_POD_IDENTITY_AUTHORITY_HOST: emulator.metadata },
});
const host = { ...detected, ...entraHosts(emulator, detected.transports) };
try {
  for (const leg1 of ["managed_identity", "confidential_client"] as const) {
    for (const binding of ["bearer", "mtls_pop"] as const) {
      await emulator.reset();
      const first = await firstLeg(leg1, host, emulator);
      const second = federate(first, { ...host, clientId: CLIENT_ID, authority: AUTHORITY });
      const { tokenType } = await second.getToken({ resource: RESOURCE, binding });
      const response = await second.fetch(`${emulator.resource}/secrets/demo`, {
        resource: RESOURCE,
        binding,
      });
      await response.arrayBuffer();
      const requests = await emulator.requests("token");
      const result: Result = {
        runtime: runtimeName(),
        leg1,
        leg2: "confidential_client",
        leg2TokenType: tokenType,
        sameBinding: requests.length === 2 && requests[0]!.thumbprint !== null &&
          requests[0]!.thumbprint === requests[1]!.thumbprint,
        resourceStatus: response.status,
      };
      console.log(JSON.stringify({ result }));
      await second.close();
      await first.close();
    }
  }
} finally {
  await detected.close();
}

async function firstLeg(
  kind: Result["leg1"],
  host: DetectedHost,
  emulator: Emulator,
): Promise<FirstLeg> {
  if (kind === "managed_identity") return managedIdentity(host);
  const key = await webcryptoKeys().create("application");
  const { certificate } = await emulator.issue({ spki: base64(key.spki), clientId: CLIENT_ID });
  return confidentialClient({
    ...host,
    clientId: CLIENT_ID,
    authority: AUTHORITY,
    credential: certificateCredential([fromBase64(certificate)], key),
  });
}

function runtimeName(): string {
  if ("Deno" in globalThis) return "deno";
  return process.versions.bun === undefined ? "node" : "bun";
}

async function readStandardInput(): Promise<string> {
  let text = "";
  for await (const chunk of process.stdin) text += chunk;
  return text;
}
