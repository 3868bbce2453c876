/**
 * Where the system's OpenSSL is.
 *
 * @module
 */

import process from "node:process";
import { isKeyboundError, KeyboundError } from "../../src/errors.ts";
import { type Ffi, loadFfi } from "../ffi/mod.ts";

/** Paths or names of the two libraries. */
export interface OpensslLibraries {
  /** libssl. */
  readonly ssl: string;
  /** libcrypto: the one that this libssl needs. */
  readonly crypto: string;
}

/** An OpenSSL that can be used. */
export interface OpensslLocation extends OpensslLibraries {
  /** What it says of itself: `OpenSSL 3.0.22 25 Aug 2026`. */
  readonly version: string;
}

/** Options of {@linkcode findOpenssl}. */
export interface FindOptions {
  /** The libraries to take, and no others. */
  library?: OpensslLibraries;
  /**
   * Environment variables: `KEYBOUND_LIBSSL` and `KEYBOUND_LIBCRYPTO`, where both are set, name the
   * libraries to take, and no others. @default none
   */
  environment?: Readonly<Record<string, string | undefined>>;
}

/** Where the search takes place. */
export interface SearchHost {
  /** `process.platform`: `linux`, `darwin`, `win32`. */
  readonly platform: string;
  /** `process.arch`: `x64`, `arm64`. */
  readonly arch: string;
}

/** Major versions that are known to work, in the order they are tried. */
const MAJOR_VERSIONS = [3, 4];

/**
 * The OpenSSL that is used with these options.
 *
 * The order: `library`; the environment; then, for versions 3 and 4, what the system finds by name
 * (`libssl.so.3`), on macOS Homebrew's (`/opt/homebrew/opt/openssl@3/lib`,
 * `/usr/local/opt/openssl@3/lib`) and MacPorts' (`/opt/local/libexec/openssl3/lib`), on Windows that
 * of `C:\Program Files\OpenSSL-Win64\bin`.
 *
 * Rejects with `missing_dependency` where there is none, or one that is too old or isn't OpenSSL, and
 * with `transport_not_available` where the runtime doesn't let this program load libraries.
 */
export async function findOpenssl(options: FindOptions = {}): Promise<OpensslLocation> {
  return locate(await loadNative(), options, process);
}

/** {@linkcode loadFfi}, in the words of a transport. */
export async function loadNative(): Promise<Ffi> {
  try {
    return await loadFfi();
  } catch (cause) {
    if (!isKeyboundError(cause, "key_provider_unavailable")) throw cause;
    throw new KeyboundError("transport_not_available", cause.message, { cause });
  }
}

/** {@linkcode findOpenssl} with koffi loaded. */
export function locate(ffi: Ffi, options: FindOptions, host: SearchHost): OpensslLocation {
  const candidates = candidateLibraries(options, host);
  const reasons: string[] = [];
  for (const libraries of candidates) {
    const version = versionOf(ffi, libraries);
    if (version.usable) return { ...libraries, version: version.text };
    reasons.push(`${libraries.ssl}: ${version.text}`);
  }
  throw new KeyboundError(
    "missing_dependency",
    `OpenSSL 3.0 or later is needed (${reasons.join("; ")}). Install the system's libssl 3 ` +
      "(Debian: libssl3, Homebrew: openssl@3) or name the libraries with the option 'library'.",
  );
}

/** The libraries to try, in order. */
export function candidateLibraries(
  { library, environment = {} }: FindOptions,
  { platform, arch }: SearchHost,
): OpensslLibraries[] {
  if (library !== undefined) return [library];
  const { KEYBOUND_LIBSSL: ssl, KEYBOUND_LIBCRYPTO: crypto } = environment;
  if (ssl !== undefined && crypto !== undefined) return [{ ssl, crypto }];
  return MAJOR_VERSIONS.flatMap((major) => libraryNames(major, platform, arch));
}

function libraryNames(major: number, platform: string, arch: string): OpensslLibraries[] {
  const inFolders = (folders: readonly string[], name: (part: string) => string) =>
    folders.map((folder) => ({ ssl: folder + name("ssl"), crypto: folder + name("crypto") }));
  switch (platform) {
    case "darwin":
      // The names without a path would find nothing, or Apple's stub that ends the process.
      return inFolders([
        `/opt/homebrew/opt/openssl@${major}/lib/`,
        `/usr/local/opt/openssl@${major}/lib/`,
        `/opt/local/libexec/openssl${major}/lib/`,
      ], (part) => `lib${part}.${major}.dylib`);
    case "win32":
      // Names without a path would be looked for in the working directory, too.
      return inFolders(
        ["C:\\Program Files\\OpenSSL-Win64\\bin\\"],
        (part) => `lib${part}-${major}${arch === "ia32" ? "" : `-${arch}`}.dll`,
      );
    default:
      return inFolders([""], (part) => `lib${part}.so.${major}`);
  }
}

/** Whether this is OpenSSL 3.0 or later: not LibreSSL, BoringSSL or one of their kin. */
function versionOf(ffi: Ffi, { crypto, ssl }: OpensslLibraries): { usable: boolean; text: string } {
  try {
    const library = ffi.open(crypto);
    const number = library.function("OpenSSL_version_num", { returns: "ulong", takes: [] })();
    const describe = library.function("OpenSSL_version", { returns: "address", takes: ["i32"] });
    const text = ffi.readText(describe(0), 200);
    const usable = number >> 28n >= 3n && text.startsWith("OpenSSL ");
    if (usable) ffi.open(ssl);
    return { usable, text };
  } catch {
    return { usable: false, text: "not found" };
  }
}
