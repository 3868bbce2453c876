/**
 * What tests of the whole flow under Wine share: the emulator that runs on Linux, and the entries of
 * the certificate store.
 *
 * @module
 */

import { spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { type StoreCertificate, withCertificates } from "../../../backends/windows/certificates.ts";
import { windowsSystem } from "../../../backends/windows/system.ts";
import { connectEmulator, type Emulator } from "../../../emulator/mod.ts";
import type { otherRuntimes } from "./windows_process.ts";

/** The emulator that `scripts/wine/suite.mjs` has started. */
export async function runningEmulator(): Promise<Emulator> {
  return await connectEmulator(JSON.parse(process.env["KEYBOUND_EMULATOR"]!));
}

const isOurs = ({ friendlyName }: StoreCertificate) => friendlyName.startsWith("MSAL|");

/** A runtime for Windows, as the runner names it. */
type WindowsRuntime = ReturnType<typeof otherRuntimes>[number];

/** The thumbprint of the certificate with which a process on this runtime gets a bound token. */
export async function thumbprintFrom(
  { kind, program }: WindowsRuntime,
  { metadata, ca }: Emulator,
): Promise<string> {
  const main = fileURLToPath(new URL("../../live/support/one_token.ts", import.meta.url));
  const run = { bun: ["run"], deno: ["run", "-A", "--no-check"], node: [] }[kind];
  const child = spawn(program, [...run, main], { stdio: ["pipe", "pipe", "inherit"] });
  child.stdin.end(JSON.stringify({ metadata, ca }));
  let text = "";
  child.stdout.setEncoding("utf8").on("data", (part: string) => text += part);
  await new Promise<void>((resolve) => child.once("close", () => resolve()));
  return text.trim();
}

/** The entries of the user's certificate store that are ours. */
export async function ownEntries(): Promise<readonly StoreCertificate[]> {
  return withCertificates(await windowsSystem(), "user", (store) => store.list()).filter(isOurs);
}

/** Deletes them. */
export async function forgetEntries(): Promise<void> {
  withCertificates(await windowsSystem(), "user", (store) => store.remove(isOurs));
}
