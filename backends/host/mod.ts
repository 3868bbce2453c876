/**
 * What the sources of managed identity need of Node, Deno or Bun: files, and TLS to a server known
 * by its thumbprint.
 *
 * @module
 */

import process from "node:process";
import type { HostAccess } from "../../src/sources/source.ts";
import { fileExists, readSecretFile } from "./files.ts";
import { pinnedFetch } from "./pinned_fetch.ts";

/**
 * Access to this host. Nothing is kept between calls.
 *
 * On Deno, Azure Arc needs `--allow-read` for `/opt/azcmagent` and `/var/opt/azcmagent`; what may
 * not be read isn't there.
 *
 * @example
 * ```ts
 * const sources = managedIdentitySources({ environment: process.env, host: hostAccess() });
 * ```
 */
export function hostAccess(): HostAccess {
  const platform = platformOf(process.platform);
  return {
    platform,
    exists: fileExists,
    readSecretFile: (path, maxBytes) => readSecretFile(path, maxBytes, platform !== "windows"),
    pinnedFetch,
  };
}

function platformOf(name: string): HostAccess["platform"] {
  if (name === "win32") return "windows";
  return name === "linux" ? "linux" : "other";
}
