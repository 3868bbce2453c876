/**
 * What the sources of managed identity need of Node, Deno or Bun: files, TLS to a server known by its
 * thumbprint, and requests that no proxy sees.
 *
 * @module
 */

import process from "node:process";
import type { HostAccess } from "../../src/sources/source.ts";
import { fileExists, readSecretFile } from "./files.ts";
import { pinnedFetch } from "./pinned_fetch.ts";

export { directFetch, type DirectFetchOptions } from "./direct_fetch.ts";

/**
 * Access to this host. Nothing is kept between calls.
 *
 * On Deno, Azure Arc needs `--allow-read` for `/opt/azcmagent` and `/var/opt/azcmagent`; what may
 * not be read isn't there.
 *
 * @example
 * ```ts
 * const environment = process.env;
 * const host = hostAccess();
 * const sources = managedIdentitySources({ environment, host, fetch: directFetch({ environment }) });
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
