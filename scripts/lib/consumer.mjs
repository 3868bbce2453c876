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
