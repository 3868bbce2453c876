/**
 * Where the examples of the documentation run: an emulator is Azure, whatever its hosts are called.
 *
 * @module
 */

import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { detect, type DetectedHost, type DetectOptions } from "../../../backends/detect.ts";
import { webcryptoKeys } from "../../../backends/webcrypto/mod.ts";
import {
  DEFAULT_TENANT_ID,
  type Emulator,
  entraHosts,
  spawnEmulator,
} from "../../../emulator/mod.ts";
import { type ClientCredential, isPemExportable, type MtlsTransport } from "../../../mod.ts";
import { base64 } from "../../../src/encoding.ts";
import { pemCredential } from "../../../src/entra/mod.ts";
import { exampleAnswer } from "./example_servers.ts";

/** Client id that the documentation's application has; the emulator knows it. */
export const APPLICATION = "f62c5ae3-bf3a-4af5-afa8-a68b800396e9";

export const AUTHORITY: string = `https://login.microsoftonline.com/${DEFAULT_TENANT_ID}`;

const METADATA_HOST = "AZURE_POD_IDENTITY_AUTHORITY_HOST";
const PASSWORD = "correct horse";

/** Hosts of services that the emulator's resource server stands for. */
const SERVICES =
  /(?:\.vault\.azure\.net|\.blob\.core\.windows\.net|^management\.azure\.com|^orders\.contoso\.com)$/;

/** Azure, for as long as it is open. */
export interface AzureStage {
  readonly emulator: Emulator;
  /** A directory that is the working directory, with `client.pem` and the like. */
  readonly directory: string;
  /** `detect` of a host in this Azure; directories outside are moved into `directory`. */
  readonly detect: typeof detect;
  /** The application's certificate and key. */
  readonly credential: ClientCredential;
  /** PEM of the two. */
  readonly pem: { readonly certificate: string; readonly key: string };
  /** Password of `client.p12`. */
  readonly password: string;
  /** Gives everything back. */
  close(): Promise<void>;
}

/** Opens it, with a secret `s` in `my-vault`. */
export async function openAzure(): Promise<AzureStage> {
  const emulator = await spawnEmulator({
    applications: [{ clientId: APPLICATION }],
    state: {
      acceptEc: true,
      audiences: [
        "https://vault.azure.net",
        "https://management.azure.com",
        "https://storage.azure.com",
        "api://orders",
      ],
    },
  });
  const directory = await mkdtemp(join(tmpdir(), "keybound-docs-"));
  const hosts: DetectedHost[] = [];
  const pem = await clientPem(emulator);
  await writeFiles(directory, pem, emulator);
  const here = process.cwd();
  process.chdir(directory);
  const { [METADATA_HOST]: hostBefore } = process.env;
  // For the libraries that the guides compare with.
  process.env[METADATA_HOST] = emulator.metadata;
  const { fetch: own } = globalThis;
  globalThis.fetch = plainFetch(emulator, own);

  const detectHere = async (options: DetectOptions = {}): Promise<DetectedHost> => {
    const { directory: wanted } = options;
    const host = await detect({
      ca: emulator.ca,
      environment: { [METADATA_HOST]: emulator.metadata },
      ...options,
      ...(wanted === undefined ? {} : { directory: within(directory, wanted) }),
    });
    hosts.push(host);
    // A snippet with an emulator of its own.
    if (options.ca !== undefined && options.ca !== emulator.ca) return host;
    return { ...host, transports: host.transports.map((each) => toEmulator(each, emulator)) };
  };

  return {
    emulator,
    directory,
    detect: detectHere,
    credential: await pemCredential(`${pem.key}${pem.certificate}`),
    pem,
    password: PASSWORD,
    async close() {
      globalThis.fetch = own;
      process.chdir(here);
      if (hostBefore === undefined) delete process.env[METADATA_HOST];
      else process.env[METADATA_HOST] = hostBefore;
      await Promise.all(hosts.map((host) => host.close()));
      await emulator.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** A path that is outside of `directory`, moved into it. */
export function within(directory: string, path: string): string {
  return path.startsWith(directory) ? path : join(directory, path.replaceAll(/[^\w.-]+/g, "_"));
}

async function clientPem(emulator: Emulator): Promise<AzureStage["pem"]> {
  const key = await webcryptoKeys().create("client");
  if (!isPemExportable(key)) throw new TypeError("A software key can be exported.");
  const { pem } = await emulator.issue({ spki: base64(key.spki), clientId: APPLICATION });
  return { certificate: pem, key: await key.exportPem() };
}

async function writeFiles(
  directory: string,
  { certificate, key }: AzureStage["pem"],
  { ca }: Emulator,
): Promise<void> {
  const files = { "client.pem": `${key}${certificate}`, "client.key": key, "ca.pem": ca };
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(directory, name), text, { mode: 0o600 });
  }
  const openssl = (...args: string[]) =>
    execFileSync("openssl", args, { cwd: directory, stdio: ["ignore", "ignore", "pipe"] });
  openssl(
    ...["pkcs12", "-export", "-in", "client.pem", "-out", "client.p12"],
    ...["-passout", `pass:${PASSWORD}`],
  );
  openssl(
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
    ...["-subj", "/CN=localhost", "-days", "2", "-keyout", "server.key", "-out", "server.pem"],
  );
}

/** A transport for which the emulator is Azure. */
function toEmulator(transport: MtlsTransport, emulator: Emulator): MtlsTransport {
  const [entra] = entraHosts(emulator, [transport]).transports;
  return {
    ...entra!,
    accepts: (key) => transport.accepts(key),
    async fetch(request, credential, options) {
      const answer = await exampleAnswer(request.clone(), credential.thumbprint);
      return answer ??
        await entra!.fetch(await redirected(request, emulator), credential, options);
    },
  };
}

function plainFetch(emulator: Emulator, own: typeof fetch): typeof fetch {
  const { fetch: entra } = entraHosts(emulator, []);
  return (async (input, init) => {
    const request = new Request(input, init);
    const { protocol } = new URL(request.url);
    if (protocol !== "http:") return await entra(await redirected(request, emulator));
    // Plain http goes to loopback: to an emulator.
    return await own(input, init);
  }) as typeof fetch;
}

async function redirected(request: Request, { resource }: Emulator): Promise<Request> {
  const { hostname, pathname, search } = new URL(request.url);
  if (!SERVICES.test(hostname)) return request;
  const { method, headers, signal } = request;
  const body = await request.arrayBuffer();
  return new Request(`${resource}${pathname}${search}`, {
    method,
    headers,
    redirect: "manual",
    signal,
    ...(body.byteLength === 0 ? {} : { body }),
  });
}
