/**
 * How the Azure CLI is started, without a shell.
 *
 * @module
 */

import { delimiter, isAbsolute } from "node:path";
import { KeyboundError } from "../../src/errors.ts";

/** A program and its first arguments. */
export interface Command {
  /** Absolute path. */
  readonly program: string;
  /** Arguments before those of `az`. */
  readonly prefix: readonly string[];
}

/** What of a host decides where `az` is. */
export interface CommandSearch {
  /** Whether this is Windows. */
  readonly isWindows: boolean;
  /** The variable `PATH`. */
  readonly path: string | undefined;
  /** Whether there is a file at this path. */
  readonly exists: (path: string) => Promise<boolean>;
}

/**
 * The first `az` of the path; relative folders are left out, since whoever owns the working
 * directory would decide. On Windows `az.cmd` is a script that only a shell can run, so the Python
 * beside it is run as that script does. `undefined` where there is none.
 */
export async function findAzureCli(
  { isWindows, path = "", exists }: CommandSearch,
): Promise<Command | undefined> {
  for (const folder of path.split(isWindows ? ";" : delimiter)) {
    if (isWindows ? !/^[A-Za-z]:\\/.test(folder) : !isAbsolute(folder)) continue;
    const separator = isWindows ? "\\" : "/";
    const script = [folder.replace(/[\\/]+$/, ""), isWindows ? "az.cmd" : "az"].join(separator);
    if (!await exists(script)) continue;
    if (!isWindows) return { program: script, prefix: [] };
    const python = script.replace(/\\[^\\]+\\az\.cmd$/, "\\python.exe");
    if (python !== script && await exists(python)) {
      return { program: python, prefix: ["-IBm", "azure.cli"] };
    }
  }
  return undefined;
}

/**
 * The arguments that ask for a token. A value can't be taken for an option. Throws `invalid_argument`
 * for a resource that begins with `@`, in whose place the CLI would send the file of that name.
 */
export function tokenArguments(resource: string, tenant: string | undefined): string[] {
  if (resource.startsWith("@")) {
    throw new KeyboundError("invalid_argument", "'resource' must be like https://vault.azure.net.");
  }
  return [
    "account",
    "get-access-token",
    "--output=json",
    `--resource=${resource}`,
    ...(tenant === undefined ? [] : [`--tenant=${tenant}`]),
  ];
}
