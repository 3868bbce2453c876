/**
 * `keybound emulator`: an emulator of everything a bound token needs, until it is ended.
 *
 * @module
 */

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Emulator, type EmulatorAddresses, startEmulator } from "../emulator/mod.ts";
import { absolutePath, readOptions } from "./arguments.ts";
import type { Command, Surroundings } from "./command.ts";
import { followRequests, requestLine } from "./emulator/request_log.ts";
import { readSettings, SETTING_OPTIONS, SETTINGS } from "./emulator/settings.ts";
import { painter } from "./style.ts";

const HELP = `keybound emulator [options]

Plays a host with a managed identity, on loopback: the metadata service, the token endpoint with its
mutual TLS, attestation, a resource server, and the other sources. It runs until Ctrl-C, logs each
request on standard error and needs 'npm install jose @peculiar/x509 reflect-metadata'.

  --tls-dir <path>     writes ca.pem there, which clients are to trust (--ca, NODE_EXTRA_CA_CERTS),
                       and service-fabric.pem
  --config <file>      settings as JSON; default: KEYBOUND_EMULATOR_CONFIG
  --print-config       shows the settings as they come out, as such a file, and ends
  --quiet              no log of requests
  --reveal             shows the secrets of its admin endpoint and of its sources
  --json               one JSON object when it is ready, then one a request, on standard output

A setting's flag counts before its environment variable, that before the file. Times are in
milliseconds or have a unit: 90s, 10m, 24h, 7d.

${SETTINGS.map(({ flag, value }) => `  --${flag} <${value}>`).join("\n")}

As a variable: KEYBOUND_EMULATOR_METADATA_PORT, KEYBOUND_EMULATOR_V1_ONLY, ... In the file:
{"ports": {"metadata": 8080}, "state": {"v1Only": true}, "identities": [...]}

Examples

  keybound emulator --tls-dir ./emulator --metadata-port 8080
  keybound emulator --certificate-lifetime 10m --max-tls-version TLSv1.2
  KEYBOUND_EMULATOR_V1_ONLY=true keybound emulator --json --quiet
`;

const OPTIONS = {
  ...SETTING_OPTIONS,
  "tls-dir": { type: "string" },
  "print-config": { type: "boolean" },
  quiet: { type: "boolean" },
  reveal: { type: "boolean" },
  json: { type: "boolean" },
} as const;

/** The command. */
export const emulator: Command = {
  summary: "play a host with a managed identity, for tests and development",
  help: HELP,
  async run(args, surroundings) {
    const { environment, print, during, signal } = surroundings;
    const values = readOptions(args, OPTIONS);
    const directory = values["tls-dir"];
    const tlsDirectory = directory === undefined ? undefined : absolutePath(directory, "--tls-dir");
    const options = await readSettings(values, environment);
    if (values["print-config"]) return print(JSON.stringify(options, null, 2));
    const running = await during("Starting the emulator", startEmulator(options));
    try {
      if (tlsDirectory !== undefined) await writeAuthorities(tlsDirectory, running);
      const { json = false, reveal = false, quiet = false } = values;
      announce(running, { json, reveal, tlsDirectory }, surroundings);
      await serve(running, { json, quiet }, surroundings);
    } finally {
      // Ctrl-C at a terminal ends a child as well, which is what is wanted.
      await running.close().catch((error) => {
        if (!signal.aborted) throw error;
      });
    }
  },
};

/** The addresses alone, without the methods. */
function addressesOf(running: Emulator): EmulatorAddresses {
  const { metadata, mtls, resource, attestation, sources, serviceFabricCertificate, ca } = running;
  return { metadata, mtls, resource, attestation, sources, serviceFabricCertificate, ca };
}

async function writeAuthorities(
  directory: string,
  { ca, serviceFabricCertificate }: Emulator,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, "ca.pem"), ca);
  await writeFile(join(directory, "service-fabric.pem"), serviceFabricCertificate);
}

interface Announcement {
  readonly json: boolean;
  readonly reveal: boolean;
  readonly tlsDirectory: string | undefined;
}

/** Says where the emulator is. Its secrets are worth nothing elsewhere, and are withheld all the same. */
function announce(
  running: Emulator,
  { json, reveal, tlsDirectory }: Announcement,
  { print, colours }: Surroundings,
): void {
  const addresses = addressesOf(running);
  const { metadata, mtls, resource, attestation, sources } = addresses;
  const { admin } = running;
  const caFile = tlsDirectory === undefined ? undefined : join(tlsDirectory, "ca.pem");
  if (json) {
    return print(JSON.stringify({
      ready: true,
      ...addresses,
      sources: reveal ? sources : withoutSecrets(sources),
      ...(caFile === undefined ? {} : { caFile }),
      admin: reveal ? admin : withoutSecrets(admin),
    }));
  }
  const paint = painter(colours);
  const line = (name: string, value: string) => print(`  ${paint("dim", name.padEnd(13))}${value}`);
  print("The emulator is ready; Ctrl-C ends it.");
  line("metadata", metadata);
  line("token", mtls);
  line("resource", resource);
  line("attestation", attestation);
  line("admin", reveal ? `${admin.url} ${admin.secret}` : admin.url);
  print("");
  print(`export AZURE_POD_IDENTITY_AUTHORITY_HOST=${metadata}`);
  if (caFile !== undefined) print(`export KEYBOUND_CA=${shellQuoted(caFile)}`);
}

/** The same without the members that are secrets. */
function withoutSecrets<T>(value: T): unknown {
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value)
    .filter(([name]) => !["secret", "IDENTITY_HEADER", "MSI_SECRET"].includes(name));
  return Object.fromEntries(entries.map(([name, member]) => [name, withoutSecrets(member)]));
}

function shellQuoted(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

async function serve(
  running: Emulator,
  { json, quiet }: { readonly json: boolean; readonly quiet: boolean },
  { signal, print, note, colours }: Surroundings,
): Promise<void> {
  const paint = painter(colours);
  await followRequests(running, (record) => {
    if (quiet) return;
    if (json) print(JSON.stringify({ request: record }));
    else note(requestLine(record, paint));
  }, signal);
}
