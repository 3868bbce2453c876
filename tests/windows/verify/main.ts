/**
 * The checks of `npm run verify:windows`: lines of JSON on standard output, as they come. The
 * settings are the last argument, as JSON.
 *
 * @module
 */

import process from "node:process";
import { windowsSystem } from "../../../backends/windows/system.ts";
import { verifyAzure } from "./azure.ts";
import { hiddenTexts, hostFacts } from "./facts.ts";
import { verifyHandles } from "./handles.ts";
import type { Host } from "./host.ts";
import { verifyKeys } from "./keys.ts";
import { verifyAttestationLibrary, verifySharedKey } from "./shared.ts";
import { verifyStore } from "./store.ts";
import { verifyTls } from "./tls.ts";
import { Verification } from "./verification.ts";

/** What is to be looked at besides what every host has. */
interface Settings {
  /** Whether to look at the key of .NET's library. */
  readonly sharedKey: boolean;
  /** Absolute path of the library for attestation. @default beside the runtime */
  readonly attestationLibrary?: string;
  /** The resource to get a token for from the real service. */
  readonly azureResource?: string;
}

const settings = JSON.parse(process.argv.at(-1)!) as Settings;
const verification = new Verification(
  (line) => void process.stdout.write(`${JSON.stringify(line)}\n`),
  hiddenTexts(),
);
process.on("uncaughtException", (error) => verification.uncaught(error));
verification.facts(await hostFacts());

let found: Host | undefined;
await verification.section("Libraries", async () => {
  await verification.check("koffi, ncrypt.dll, crypt32.dll and kernel32.dll", async () => {
    const run = crypto.randomUUID().slice(0, 8);
    found = { verification, system: await windowsSystem(), run };
    return "loaded";
  });
});
if (found !== undefined) await verify(found);

async function verify(host: Host): Promise<void> {
  const { sharedKey, attestationLibrary, azureResource } = settings;
  await verification.section("Keys", () => verifyKeys(host));
  await verification.section("Certificate store", () => verifyStore(host));
  await verification.section("TLS by SChannel", () => verifyTls(host));
  await verification.section("Handles", () => verifyHandles(host));
  if (sharedKey) {
    await verification.section("Key of .NET's library", () => verifySharedKey(host));
  }
  await verification.section(
    "Attestation",
    () => verifyAttestationLibrary(host, attestationLibrary),
  );
  if (azureResource !== undefined) {
    await verification.section("Azure", () => verifyAzure(host, azureResource));
  }
}
