/**
 * The stage that snippets are run on: their names, and what stands in for modules.
 *
 * @module
 */

import type { IncomingMessage } from "node:http";
import { readFile } from "node:fs/promises";
import * as https from "node:https";
import { join } from "node:path";
import { azureCli } from "../../../backends/azure_cli/mod.ts";
import { fileStore } from "../../../backends/files/mod.ts";
import { pkcs11Key, pkcs11Store } from "../../../backends/pkcs11/mod.ts";
import * as emulators from "../../../emulator/mod.ts";
import { managedIdentity } from "../../../mod.ts";
import { base64 } from "../../../src/encoding.ts";
import * as entra from "../../../src/entra/mod.ts";
import { rfc8705Client } from "../../../src/rfc8705/mod.ts";
import { readJson } from "../../package/support/project.ts";
import { tokenIssuer } from "../../resource/support/tokens.ts";
import { APPLICATION, AUTHORITY, openAzure, within } from "./azure_stage.ts";
import type { Names } from "./names.ts";
import { type Guarded, guarded } from "./guarded.ts";
import type { Stage } from "./run_snippet.ts";

/** A token of PKCS#11 for those snippets that take one. */
export interface SnippetToken {
  readonly library: string;
  readonly label: string;
  readonly pin: string;
}

/** A stage that is to be closed. */
export interface OpenStage extends Stage {
  /** Programs of the snippets that let requests in, or refuse them. */
  readonly guarded: Guarded;
  /** Variables for programs of the command line. */
  readonly environment: Readonly<Record<string, string>>;
  /** As it was at first. */
  reset(): Promise<void>;
  close(): Promise<void>;
}

/** Globals that snippets have others of. */
interface Globals {
  readonly console: Console;
  readonly setInterval: typeof setInterval;
}

const USER_ASSIGNED = emulators.DEFAULT_IDENTITIES[1]!.clientId;

/** Opens a stage. */
export async function openStage(token?: SnippetToken): Promise<OpenStage> {
  const azure = await openAzure();
  const { emulator, directory, credential, pem, password } = azure;
  const others: emulators.Emulator[] = [];
  const timers: ReturnType<typeof setInterval>[] = [];
  const issuer = await tokenIssuer();
  const accessToken = await issuer.token(credential.thumbprint);
  const host = await azure.detect();
  const clientOptions = { ...host, clientId: APPLICATION, authority: AUTHORITY, credential };
  const resource = { issuer: "https://as.example.com", audience: "https://api.example.com" };
  const access = { jwks: issuer.jwks, ...resource };
  const guards = guarded({ token: accessToken, certificate: credential.chain[0]! });
  const pinFile = join(directory, "pin");
  const uri = token === undefined
    ? "pkcs11:token=app"
    : `pkcs11:token=${token.label}?module-path=${token.library}&pin-source=file:${pinFile}`;
  if (token !== undefined) await writePin(pinFile, token.pin);

  const names: Names & Globals = {
    ca: emulator.ca,
    url: "https://my-vault.vault.azure.net/secrets/s?api-version=7.4",
    clientId: APPLICATION,
    authority: AUTHORITY,
    scope: "https://vault.azure.net/.default",
    resource: "https://vault.azure.net",
    text: `${pem.key}${pem.certificate}`,
    certificates: pem.certificate,
    privateKey: pem.key,
    password,
    assertion: accessToken,
    token: accessToken,
    ...access,
    request: { socket: guards.socket } as unknown as IncomingMessage,
    credential,
    certificate: credential.chain[0]!,
    fetcher: { fetch: (request) => fetch(request) },
    keys: { open: () => Promise.resolve(credential.key) },
    readPinSomehow: () => Promise.resolve(token?.pin ?? ""),
    currentCertificate: () => Promise.resolve(credential),
    loadCredential: () => Promise.resolve(credential),
    uri,
    issue: async (spki) =>
      (await emulator.issue({ spki: base64(spki), clientId: APPLICATION })).pem,
    host,
    first: clientOptions,
    second: { ...host, clientId: APPLICATION, authority: AUTHORITY },
    identity: managedIdentity(host),
    client: entra.confidentialClient(clientOptions),
    options: {
      ...clientOptions,
      ...access,
      certificate: { header: "x-client-cert", format: "nginx", trustProxy: true },
    },
    transports: host.transports,
    emulator,
    readFile,
    detect: azure.detect,
    azureCli,
    managedIdentity,
    ...entra,
    rfc8705Client,
    pkcs11Key,
    pkcs11Store,
    fileStore: (options) =>
      fileStore({ ...options, directory: within(directory, options.directory) }),
    app: guards.app,
    Deno: { createHttpClient: () => ({}), serve: guards.serve },
    console: { ...console, log: () => {} },
    setInterval: ((work: () => void, ms?: number) => {
      const timer = setInterval(work, ms);
      timers.push(timer);
      return timer;
    }) as typeof setInterval,
  };
  const { exports } = readJson<{ exports: Record<string, string> }>("deno.json");
  const standIns: Readonly<Record<string, Record<string, unknown>>> = {
    "keybound/detect": { detect: azure.detect },
    "keybound/emulator": {
      ...emulators,
      startEmulator: async (options?: emulators.EmulatorOptions) => {
        const started = await emulators.startEmulator(options);
        others.push(started);
        return started;
      },
    },
    "node:https": { ...https, createServer: guards.createServer },
  };
  return {
    directory,
    names: { ...names },
    guarded: guards,
    environment: {
      AZURE_POD_IDENTITY_AUTHORITY_HOST: emulator.metadata,
      KEYBOUND_CA: join(directory, "ca.pem"),
    },
    async load(specifier) {
      const standIn = standIns[specifier];
      if (standIn !== undefined) return standIn;
      const own = exports[specifier.replace(/^keybound(?=\/|$)/, ".")];
      return await import(
        own === undefined ? specifier : new URL(`../../../${own}`, import.meta.url).href
      ) as Record<string, unknown>;
    },
    here: (code) =>
      code.replaceAll("…", /confidentialClient/.test(code) ? APPLICATION : USER_ASSIGNED)
        .replaceAll("login.microsoftonline.com/contoso.com", AUTHORITY.slice("https://".length))
        .replaceAll("pkcs11:token=app", `pkcs11:token=${token?.label}`)
        .replaceAll("/usr/lib/softhsm/libsofthsm2.so", `${token?.library}`)
        .replaceAll("file:/etc/app/pin", `file:${pinFile}`),
    async reset() {
      for (const other of others.splice(0)) await other.close();
      await emulator.reset();
      await putSecret(names.identity);
    },
    async close() {
      timers.forEach(clearInterval);
      for (const other of others) await other.close();
      await names.identity.close();
      await names.client.close();
      await azure.close();
    },
  };
}

async function writePin(path: string, pin: string): Promise<void> {
  const { writeFile } = await import("node:fs/promises");
  await writeFile(path, `${pin}\n`, { mode: 0o600 });
}

async function putSecret(identity: Names["identity"]): Promise<void> {
  const response = await identity.fetch(
    "https://my-vault.vault.azure.net/secrets/s?api-version=7.4",
    {
      resource: "https://vault.azure.net",
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ value: "s3cret" }),
    },
  );
  await response.body?.cancel();
  if (!response.ok) throw new Error(`The vault answered ${response.status}.`);
}
