/**
 * The host and the identity that options and environment variables describe.
 *
 * @module
 */

import { readFile } from "node:fs/promises";
import { detect, type DetectedHost } from "../backends/detect.ts";
import { isKeyboundError, KeyboundError } from "../src/errors.ts";
import { type ManagedIdentityId, resolveIdentity } from "../src/identity.ts";
import { decodePem } from "../src/x509/pem.ts";
import { absolutePath, understood, type Values } from "./arguments.ts";
import { type Environment, UsageError } from "./command.ts";
import { HOST_VARIABLES } from "./variables.ts";

/** Options that say which identity of the host is meant. */
export const IDENTITY_OPTIONS = {
  "client-id": { type: "string" },
  "resource-id": { type: "string" },
  "object-id": { type: "string" },
} as const;

/** Options that say what the host is. */
export const HOST_OPTIONS = {
  directory: { type: "string" },
  ca: { type: "string" },
} as const;

/** Help on {@linkcode IDENTITY_OPTIONS}. */
export const IDENTITY_HELP = `  --client-id <uuid>   a user-assigned identity by its client id ...
  --resource-id <id>   ... by its Azure resource id ...
  --object-id <uuid>   ... or by its object id; default: the host's own identity`;

/** Help on {@linkcode HOST_OPTIONS}. */
export const HOST_HELP =
  `  --directory <path>   keys and certificates are kept here; default: KEYBOUND_DIRECTORY, else memory
  --ca <file>          PEM of the CAs that servers are verified against, an emulator's for example;
                       default: KEYBOUND_CA, else the runtime's`;

/** The identity that the options name. Throws {@linkcode UsageError}. */
export function identityOf(values: Values<typeof IDENTITY_OPTIONS>): ManagedIdentityId {
  const { "client-id": clientId, "resource-id": resourceId, "object-id": objectId } = values;
  const id = {
    ...(clientId === undefined ? {} : { clientId }),
    ...(resourceId === undefined ? {} : { resourceId }),
    ...(objectId === undefined ? {} : { objectId }),
  };
  if (Object.keys(id).length > 1) {
    throw new UsageError("Give one of '--client-id', '--resource-id' and '--object-id'.");
  }
  understood(() => resolveIdentity(id));
  return id;
}

/** The directory of keys and certificates, `undefined` where there is none. */
export function directoryOf(
  { directory }: { readonly directory?: string },
  { KEYBOUND_DIRECTORY: variable = "" }: Environment,
): string | undefined {
  if (directory !== undefined) return absolutePath(directory, "--directory");
  return variable === "" ? undefined : absolutePath(variable, "KEYBOUND_DIRECTORY");
}

/** PEM of the CAs to trust, `undefined` for the runtime's. Rejects with {@linkcode UsageError}. */
export async function caOf(
  { ca }: { readonly ca?: string },
  { KEYBOUND_CA: variable = "" }: Environment,
): Promise<string | undefined> {
  const [path, name] = ca === undefined ? [variable, "KEYBOUND_CA"] : [ca, "--ca"];
  if (path === "" && ca === undefined) return undefined;
  const pem = await readFile(absolutePath(path, name), "utf8").catch(() => undefined);
  if (pem === undefined) throw new UsageError(`The file that '${name}' names can't be read.`);
  try {
    decodePem(pem, "CERTIFICATE");
  } catch (error) {
    if (!isKeyboundError(error)) throw error;
    throw new UsageError(`The file that '${name}' names holds no certificates in PEM.`);
  }
  return pem;
}

/** The backends of the host. */
export async function openHost(
  values: Values<typeof HOST_OPTIONS>,
  environment: Environment,
): Promise<DetectedHost> {
  const directory = directoryOf(values, environment);
  const ca = await caOf(values, environment);
  return await detect({
    ...(directory === undefined ? {} : { directory }),
    ...(ca === undefined ? {} : { ca }),
    environment: hostVariables(environment),
  });
}

/** The variables that a host is described by, as plain values. */
export function hostVariables(environment: Environment): Environment {
  return Object.fromEntries(HOST_VARIABLES.map(({ name }) => [name, environment[name]]));
}

/** An error in one line; never a stack. */
export function reasonOf(error: unknown): string {
  if (error instanceof KeyboundError) return `${error.code}: ${error.message}`;
  return error instanceof Error ? error.message : "unknown";
}
