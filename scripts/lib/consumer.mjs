/**
 * Programs of someone who has installed the package, as text: they run in that one's folder.
 *
 * @module
 */

/**
 * Imports everything the package exports.
 *
 * @param {readonly string[]} entries such as `keybound/detect`
 */
export function importsAll(entries) {
  return `
    for (const entry of ${JSON.stringify(entries)}) {
      const module = await import(entry);
      if (Object.keys(module).length === 0) throw new Error(entry + " exports nothing.");
    }
    const { managedIdentity } = await import("keybound");
    if (typeof managedIdentity !== "function") throw new Error("There is no managedIdentity.");
  `;
}

/** Starts the emulator without the packages it needs. */
export const EMULATOR_WITHOUT_PEERS = `
  import { startEmulator } from "keybound/emulator";
  const error = await startEmulator().then(() => undefined, (error) => error);
  if (error?.code !== "missing_dependency") throw new Error("missing_dependency expected", { cause: error });
  if (!/npm install .*jose/.test(error.message)) throw new Error("Doesn't say what to install: " + error.message);
`;

/** Fetches from the emulated resource server, which takes nothing but a token bound to the key. */
export const BOUND_FETCH = `
  import { managedIdentity } from "keybound";
  import { detect } from "keybound/detect";
  import { startEmulator } from "keybound/emulator";
  const emulator = await startEmulator();
  try {
    const host = await detect({
      ca: emulator.ca,
      environment: { AZURE_POD_IDENTITY_AUTHORITY_HOST: emulator.metadata },
    });
    const identity = managedIdentity(host);
    const response = await identity.fetch(emulator.resource, { resource: "https://vault.azure.net" });
    if (response.status !== 200) throw new Error("Status " + response.status);
    await response.arrayBuffer();
    await identity.close();
    await Promise.all(host.transports.map((transport) => transport.close()));
  } finally {
    await emulator.close();
  }
`;

/** The same where a thread does the handshake, whose program is found by its path. */
export const BOUND_FETCH_WITH_THREAD = `
  import { managedIdentity } from "keybound";
  import { startEmulator } from "keybound/emulator";
  import { memoryStore } from "keybound/memory";
  import { opensslTransport } from "keybound/openssl";
  import { webcryptoKeys } from "keybound/webcrypto";
  const emulator = await startEmulator();
  const transport = opensslTransport({ ca: emulator.ca, signing: "worker" });
  try {
    const identity = managedIdentity({
      keys: webcryptoKeys(),
      store: memoryStore(),
      transports: [transport],
      environment: { AZURE_POD_IDENTITY_AUTHORITY_HOST: emulator.metadata },
    });
    const response = await identity.fetch(emulator.resource, { resource: "https://vault.azure.net" });
    if (response.status !== 200) throw new Error("Status " + response.status);
    await response.arrayBuffer();
    await identity.close();
  } finally {
    await transport.close();
    await emulator.close();
  }
`;

/** The command line, as it is installed: an emulator, and against it a doctor, a token and a proxy. */
export const COMMAND_LINE = String.raw`
  import { spawn } from "node:child_process";
  import { mkdtempSync, rmSync } from "node:fs";
  import { tmpdir } from "node:os";
  import { join } from "node:path";
  import process from "node:process";

  const folder = mkdtempSync(join(tmpdir(), "keybound-cli-"));
  const main = "Deno" in globalThis ? ["run", "-A", "npm:keybound"] : ["node_modules/keybound/dist/cli/main.js"];
  /** Runs the program; onLine sees its first line and may go on while it runs. */
  const keybound = (args, environment, onLine) => new Promise((resolve, reject) => {
    const env = { ...process.env, ...environment };
    const child = spawn(process.execPath, [...main, ...args], { env, stdio: ["ignore", "pipe", "inherit"] });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text) => {
      const isFirst = !output.includes("\n");
      output += text;
      if (!isFirst || !output.includes("\n") || !onLine) return;
      onLine(output.split("\n")[0]).then(() => process.kill(child.pid, "SIGINT"), (error) => {
        process.kill(child.pid, "SIGINT");
        reject(error);
      });
    });
    child.once("error", reject).once("close", (code) => resolve({ code, output }));
  });
  const expect = (what, seen, wanted) => {
    if (seen !== wanted) throw new Error(what + ": " + seen + ", not " + wanted);
  };
  try {
    expect("token without a resource", (await keybound(["token"])).code, 2);
    const emulator = ["emulator", "--json", "--quiet", "--tls-dir", folder];
    const ended = await keybound(emulator, {}, async (line) => {
      const { metadata, caFile, resource } = JSON.parse(line);
      const environment = { AZURE_POD_IDENTITY_AUTHORITY_HOST: metadata, KEYBOUND_CA: caFile };
      const asked = ["--resource", "https://vault.azure.net"];
      const doctor = await keybound(["doctor", "--json"], environment);
      expect("doctor", doctor.code, 0);
      const { code, output } = await keybound(["token", ...asked, "--json"], environment);
      expect("token", code, 0);
      expect("token type", JSON.parse(output).tokenType, "mtls_pop");
      const proxy = ["proxy", ...asked, "--upstream", resource, "--json", "--reveal", "--quiet"];
      const proxied = await keybound(proxy, environment, async (line) => {
        const { url, secret } = JSON.parse(line);
        const response = await fetch(url + "/any", { headers: { "keybound-secret": secret } });
        expect("through the proxy", response.status, 200);
        await response.arrayBuffer();
        const stranger = await fetch(url + "/any");
        expect("a stranger at the proxy", stranger.status, 401);
        await stranger.arrayBuffer();
      });
      expect("proxy", proxied.code, 0);
    });
    expect("emulator", ended.code, 0);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
`;

/**
 * Uses the types of everything the package exports; would not compile if they were `any`.
 *
 * @param {readonly string[]} entries such as `keybound/detect`
 */
export function usesTypes(entries) {
  return [
    'import { managedIdentity, type TokenResult } from "keybound";',
    'import { detect } from "keybound/detect";',
    ...entries.map((entry, index) => `import type * as entry${index} from "${entry}";`),
    `export type All = [${entries.map((_, index) => `typeof entry${index}`).join(", ")}];`,
    "const identity = managedIdentity(await detect());",
    'export const token: TokenResult = await identity.getToken({ resource: "https://a.example" });',
    "// @ts-expect-error a resource is required",
    "await identity.getToken({});",
    "",
  ].join("\n");
}
